"""What one client, or all of them, may take of the broker: connections, memory, time."""
