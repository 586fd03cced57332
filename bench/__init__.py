"""Orchestration and command line of the FUSE passthrough benchmark suite."""
