"""The accounts service: the legacy account database, which the platform reaches only through connectors."""
