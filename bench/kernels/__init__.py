"""Kernel images built and booted."""
