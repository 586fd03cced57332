"""What is made of a run: rows, tables, charts and a page.

Reads runs only, never a machine.
"""
