"""What a run will measure, and in which order: pure functions of settings and seed."""
