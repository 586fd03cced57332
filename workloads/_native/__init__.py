"""Native parts of the workloads: the op driver and the tree builder."""
