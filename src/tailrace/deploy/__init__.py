"""Running services as processes: supervision, restarts, logs."""
