"""Data directories read by somebody who does not own them: nothing here writes, locks or creates anything."""
