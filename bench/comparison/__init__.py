"""Runs held against one another: compare, history, verify. Only for reading; a process of its own."""
