"""Queries over HTTP: each instance answers for all, by asking the one that has what is asked for."""
