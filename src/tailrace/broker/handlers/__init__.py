"""One module per API: which versions, what differs between them, and the decision.

A handler takes the decoded request and a `Call`, and gives a response; expected errors are codes in it. It is a plain
function unless it has to wait. There is no `await` between a check and the `record` that relies on it.

Requests are typed by their newest version, and `kio` gives an older one without the fields that it does not have: those
are read with `getattr` and a default, or from `older: Any`. The classes are imported for types only, as they cost time.
"""
