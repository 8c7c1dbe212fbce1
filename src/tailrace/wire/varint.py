"""Variable-length integers: 7 bits per byte, low bits first; signed ones in zigzag form."""

from __future__ import annotations

from collections.abc import Sequence

MAX_BYTES = 10


def unsigned_varint(value: int) -> bytes:
    """Encode `value`, which must not be negative."""
    if value < 0x80:
        return bytes((value,))
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def varint(value: int) -> bytes:
    """Encode a signed value of up to 64 bits."""
    return unsigned_varint(value << 1 if value >= 0 else (-value << 1) - 1)


def read_unsigned_varint(data: Sequence[int], position: int) -> tuple[int, int]:
    """Value at `position` and the position after it. Raises IndexError at the end of `data`."""
    byte = data[position]
    if byte < 0x80:
        return byte, position + 1
    value = byte & 0x7F
    for shift in range(7, 7 * MAX_BYTES, 7):
        position += 1
        byte = data[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position + 1
    raise ValueError(f"a varint of more than {MAX_BYTES} bytes ends at byte {position}")


def read_varint(data: Sequence[int], position: int) -> tuple[int, int]:
    """Signed value at `position` and the position after it. Raises IndexError at the end of `data`."""
    byte = data[position]
    if byte < 0x80:
        return byte >> 1 ^ -(byte & 1), position + 1
    value, position = read_unsigned_varint(data, position)
    return value >> 1 ^ -(value & 1), position
