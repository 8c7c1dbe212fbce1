"""Schema registry: which schemas a subject's records have had, and which may come next.

The server keeps its state in the topic `_schemas`; clients and serializers speak to it over Confluent's REST API.
"""
