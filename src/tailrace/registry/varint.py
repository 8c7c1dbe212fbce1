"""Avro's integers: zigzag, then seven bits in a byte, the lowest first, the high bit set in all but the last.

Written for speed: two bytes at a time are looked up when encoding, and decoding goes on where the generated code finds
that one byte is not all.
"""

from functools import cache

INT_MAX = 2**31 - 1
LONG_MAX = 2**63 - 1
SMALL = 8192

_ends: tuple[bytes, ...] = ()
_pairs: tuple[bytes, ...] = ()


@cache
def small() -> tuple[bytes, ...]:
    """The encodings of 0 to 8191, by value; makes the other tables too, once, on demand."""
    global _ends, _pairs
    _ends = tuple(bytes((n,)) if n < 128 else bytes((n & 127 | 128, n >> 7)) for n in range(1 << 14))
    _pairs = tuple(bytes((n & 127 | 128, n >> 7 | 128)) for n in range(1 << 14))
    return _ends[::2]


def encode_long(n: int) -> bytes:
    """Encode a signed integer of 64 bits, once `small` was called. Raises OverflowError."""
    z = n << 1 ^ n >> 63
    if z < 1 << 14:
        return _ends[z]
    if z < 1 << 28:
        return _pairs[z & 0x3FFF] + _ends[z >> 14]
    if z < 1 << 42:
        return _pairs[z & 0x3FFF] + _pairs[z >> 14 & 0x3FFF] + _ends[z >> 28]
    if not -LONG_MAX - 1 <= n <= LONG_MAX:
        raise OverflowError(f"{n} does not fit into a long")
    return _pairs[z & 0x3FFF] + _pairs[z >> 14 & 0x3FFF] + _pairs[z >> 28 & 0x3FFF] + _high(z >> 42)


def encode_int(n: int) -> bytes:
    """Encode a signed integer of 32 bits, once `small` was called. Raises OverflowError."""
    if not -INT_MAX - 1 <= n <= INT_MAX:
        raise OverflowError(f"{n} does not fit into an int")
    return encode_long(n)


def decode_int(data: bytes, position: int, n: int) -> tuple[int, int]:
    """Decode as `decode_more` does. Raises OverflowError beyond 32 bits."""
    n, position = decode_more(data, position, n)
    if n >> 32:
        raise OverflowError(f"{n >> 1 ^ -(n & 1)} does not fit into an int")
    return n, position


def decode_length(data: bytes, position: int, n: int) -> tuple[int, int]:
    """Decode a length whose first byte is `n`: give twice the length, and the position after it."""
    if n > 127:
        n, position = decode_more(data, position, n)
    if n & 1:
        raise ValueError(f"negative length {-(n >> 1) - 1}")
    return n, position


def decode_count(data: bytes, position: int, n: int) -> tuple[int, int]:
    """Decode a block's count whose first byte is `n`: give twice the count, and the position after it.

    A negative count is followed by the block's size in bytes, which is passed over.
    """
    if n > 127:
        n, position = decode_more(data, position, n)
    if n & 1:
        n += 1
        size = data[position]
        position += 1
        if size > 127:
            _, position = decode_more(data, position, size)
    return n, position


def decode_more(data: bytes, position: int, n: int) -> tuple[int, int]:
    """Decode an integer whose first byte is `n`, above 127: give it, still zigzag, and the position after it.

    Raises IndexError when the data ends, OverflowError beyond 64 bits.
    """
    # Adding a byte less one takes off the high bit of the byte before.
    byte = data[position]
    n += byte - 1 << 7
    if byte < 128:
        return n, position + 1
    byte = data[position + 1]
    n += byte - 1 << 14
    if byte < 128:
        return n, position + 2
    byte = data[position + 2]
    n += byte - 1 << 21
    if byte < 128:
        return n, position + 3
    byte = data[position + 3]
    n += byte - 1 << 28
    if byte < 128:
        return n, position + 4
    byte = data[position + 4]
    n += byte - 1 << 35
    if byte < 128:
        return n, position + 5
    return _decode_rest(data, position + 5, n)


def _high(n: int) -> bytes:
    return _ends[n] if n < 1 << 14 else _pairs[n & 0x3FFF] + _ends[n >> 14]


def _decode_rest(data: bytes, position: int, n: int) -> tuple[int, int]:
    for shift in (42, 49, 56, 63):
        byte = data[position]
        position += 1
        n += byte - 1 << shift
        if byte < 128 and n < 1 << 64:
            return n, position
    raise OverflowError("an integer longer than 64 bits")
