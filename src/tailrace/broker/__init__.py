"""An embedded, one-node broker that speaks the Kafka protocol and acknowledges only what is on disk.

`connection` reads requests from sockets, `dispatch` finds their handler, `handlers` (one module per API) decide, and
`Broker.record` makes a decision durable: it goes to the journal, then into the state in memory. `group_commit` writes
the journal and releases the replies. `recovery` brings the state back from the last checkpoint and the journal.
"""
