"""Standby replicas: state that is kept up to date where its task may go when its instance fails."""
