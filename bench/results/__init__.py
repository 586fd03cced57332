"""A run on disk, and a run in one file."""
