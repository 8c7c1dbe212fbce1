"""What a task writes, as plain tuples: there are many, and nothing is made of them but records."""

Headers = list[tuple[str, str | bytes | None]] | None
# topic, partition (-1: that of the key), key, value, headers, timestamp in milliseconds since 1970
Output = tuple[str, int, bytes | None, bytes | None, Headers, int]
