"""The wallet service: a snapshot of each account's balances after every transaction."""
