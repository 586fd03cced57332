"""Is the instrument true? Checks of the suite's own statistics; one file here adds one check.

Runs in a process of its own, since it reads runs as the report does; ``bench.commands.selftest`` starts
it, after it has made the fresh A/A run where one was asked for.
"""
