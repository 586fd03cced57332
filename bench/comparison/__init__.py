"""Runs held against one another: compare, history, verify.

Only for reading; in a process of its own.
"""
