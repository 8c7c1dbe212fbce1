"""The transaction service: decides every request exactly once and keeps the ledger."""
