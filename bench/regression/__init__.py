"""Two kernels on the instruction clock, and a verdict for CI: kernel diff and bisect."""
