"""Metrics of a process for Prometheus: plain rows of numbers, their text, and the HTTP server that shows it."""
