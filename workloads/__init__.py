"""One module per workload, each defining one constant WORKLOAD (see bench.model.Workload)."""
