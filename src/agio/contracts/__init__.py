"""What the services say to each other: one Avro contract for each topic, and its event class.

The `.avsc` files are the contracts, for any language; the classes are checked against them in tests.
"""
