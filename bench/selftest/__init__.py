"""Is the instrument true? Checks of the suite's own statistics.

One file here adds one check. They run in a process of their own, since they read runs as the report
does; ``bench.commands.selftest`` starts it, after it has made the fresh A/A run where one was asked for.
"""
