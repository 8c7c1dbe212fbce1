"""How far a task has read its stream topics, kept beside the state that came of it."""

import struct

from tailrace.streams.state.backend import Backend, Entries

_POSITION = b"\0read\0"
_INT64 = struct.Struct(">q")


class ReadPositions:
    """The next offset to read of each stream topic, as far as it was committed; what `written` gives may be less.

    The group's committed offsets say where to read on. These only say whether those can be right.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._noted: dict[str, int] = {}

    def __bool__(self) -> bool:
        """Whether something is to be written."""
        return bool(self._noted)

    def note(self, topic: str, offset: int) -> None:
        """Note what was committed."""
        self._noted[topic] = offset

    def entries(self) -> Entries:
        """What is to be written to the backend."""
        return [(_key(topic), _INT64.pack(offset)) for topic, offset in self._noted.items()]

    def were_written(self) -> None:
        """Forget what `entries` gave."""
        self._noted.clear()

    def written(self, topic: str) -> int:
        """What the backend has of a topic, 0 if nothing."""
        data = self._backend.get(_key(topic))
        return 0 if data is None else int(_INT64.unpack(data)[0])


def _key(topic: str) -> bytes:
    return _POSITION + topic.encode()
