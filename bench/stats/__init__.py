"""Runs read into frames; estimates, intervals, guards and verdicts over them."""
