"""The steps of a topology, one kind per file. Each binds to a task once and is then a plain function per record."""
