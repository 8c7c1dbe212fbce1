"""Consumer groups, the protocol of KIP-848: the coordinator assigns, members follow with their heartbeats.

A change of members or topics raises the group epoch; the next heartbeat computes the target assignment for it
(`assignors/`); then every member is led from what it has to its target (`reconciliation`), such that a partition is
given to its new owner only after the old one has said that it gave it up. Decisions are pure (`decisions`), what they
record is applied by `group`, and `coordinator` has the timers.
"""
