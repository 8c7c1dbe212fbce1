"""Where a record is at one point of generated code: the names of the variables that hold its parts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tailrace.registry.serde import Serde

if TYPE_CHECKING:
    from tailrace.streams.code.code import Code


# The variable of a source's value, of which only some fields may be there.
PART = "value_part"
# Stands for a source's value where it is hardly ever needed: that is decoded there, unless it has been anyway. What is
# damaged has to be found before, so values that are of another schema are decoded as a whole at once.
RARELY = "value_rarely"


@dataclass(frozen=True, slots=True)
class Flow:
    """Variables of one record. What is not named by any line is never computed.

    `key_bytes` and `value_bytes` are the record's bytes as they are read with `key_serde` and `value_serde`, and None
    once key or value have changed. `record` is the message that caused this one, `old` a table's former value.
    `fields` collects the fields of the value as it was read that functions look at, which find them in the variable
    PART, so that a value of which nobody wants the rest is decoded in part.
    """

    key: str
    value: str
    timestamp: str
    record: str
    key_bytes: str | None
    value_bytes: str | None
    key_serde: Serde[Any] | None = None
    value_serde: Serde[Any] | None = None
    old: str | None = None
    fields: set[str] | None = None

    @property
    def is_as_read(self) -> bool:
        """Whether the value is that of a source, in the source's own function."""
        return (self.value, self.value_bytes) == ("value", "value_bytes")

    def seen_by(self, looks_at: frozenset[str] | None) -> str:
        """The variable of the value for a function that looks at these fields of it, None being all."""
        if looks_at is None or self.fields is None or not self.is_as_read:
            return self.value
        self.fields.update(looks_at)
        return PART


# Writes the code of what follows a step, where it is told to.
Forward = Callable[["Code", Flow], None]
