"""The audit: proves from the topics alone that every request got one right outcome and that the books balance.

It folds the history itself and shares nothing with the services but the ledger's pure rules, by which it decides every
request again.
"""
