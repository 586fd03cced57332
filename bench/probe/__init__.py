"""What a kernel passes through, found by trying."""
