"""Transactions: state that follows from the journal's events, and the coordinator that decides."""
