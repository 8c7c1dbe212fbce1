"""The connectors that come with Connect, one package per kind of system."""
