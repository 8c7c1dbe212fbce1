"""Topologies as Python code: the steps between a source and its sinks become one function without calls in between."""
