"""Requests counted and timed, in the kernel and in the shim, and what they prove."""
