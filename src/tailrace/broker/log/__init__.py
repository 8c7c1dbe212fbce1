"""The log of one partition: segments with their indexes, producers' sequences, transactions; and the journal."""
