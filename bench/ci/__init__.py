"""Comparisons as test results for CI: KTAP and JUnit."""
