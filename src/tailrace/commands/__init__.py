"""The commands that look at clusters and data directories; each module is one word of the command line.

Modules import their libraries when a command runs, so that `tailrace --help` need not wait for them.
"""
