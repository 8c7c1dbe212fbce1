"""The read model: what the topics say, in tables, in one SQLite file that can be deleted at any time.

`fold` says what a record does to the tables, `store` writes them, `queries` reads them.
"""
