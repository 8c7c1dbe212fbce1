"""One module per API: which versions, what differs between them, and the decision.

A handler takes the decoded request and a `Call`, and gives a response; expected errors are codes in it. It is a plain
function unless it has to wait. There is no `await` between a check and the `record` that relies on it.
"""
