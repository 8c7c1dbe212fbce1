"""Consumer groups, classic protocol: members, generations and committed offsets."""
