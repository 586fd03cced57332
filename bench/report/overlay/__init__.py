"""Several runs over one another."""
