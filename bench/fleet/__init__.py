"""Runs on other machines by way of Dask: boots as tasks, and whole runs on every machine.

Dask (``distributed``, the optional extra ``fleet``) has the scheduler, the queue and what becomes of a
task whose worker dies. Nothing here is loaded by a run that names no scheduler.
"""
