"""Runs on other kernels: the host's side, the guest's, and the protocol both share."""
