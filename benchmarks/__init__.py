"""Benchmarks that anybody can repeat: each prints a table and writes its numbers to benchmarks/results."""
