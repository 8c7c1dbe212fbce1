"""Consumer groups, classic protocol: membership in memory, committed offsets in the journal."""
