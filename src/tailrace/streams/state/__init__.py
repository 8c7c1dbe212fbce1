"""State: typed write-back stores over a key-value backend, written after the commit they belong to."""
