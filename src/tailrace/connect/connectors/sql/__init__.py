"""Connectors to SQL databases: SQLite and PostgreSQL, through SQLAlchemy.

Keys and behaviour follow the JDBC connectors known from Apache Kafka Connect, whose class names are aliases.
"""
