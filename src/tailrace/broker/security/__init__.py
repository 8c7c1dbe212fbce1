"""Who is at the other end of a connection, and what they may do.

`tls` says who a certificate names. `authentication` is the SASL exchange of one connection, `plain` and `scram` its
mechanisms, on the credentials in `users`. `acls` decides who may do what. All of them are plain functions and state
machines; `tailrace.broker.listener` and `tailrace.broker.connection` bring them to the sockets.
"""
