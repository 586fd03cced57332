"""The command line: one file a command, its words and nothing else."""
