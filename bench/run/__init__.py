"""One run on the kernel at hand, from preparing the machine to the last record."""
