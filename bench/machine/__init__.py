"""The machine: namespaces, mount table, system calls, CPUs, knobs, disturbance."""
