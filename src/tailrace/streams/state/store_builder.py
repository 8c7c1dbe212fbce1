"""What makes the store of a processor in each task."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tailrace.registry.serde import Serde
from tailrace.streams.state.expiry import Expiring
from tailrace.streams.state.kept import Kept
from tailrace.streams.state.store import Reader, StoreSpec

if TYPE_CHECKING:
    from tailrace.streams.task import Task


@dataclass(frozen=True)
class Built:
    """A store in one task: as its processor has it, as other threads read it, and what of it expires, if any does."""

    store: Any
    committed: Reader[Any]
    expiring: Expiring[Any] | None = None


class StoreBuilder(Protocol):
    """Makes the store of a name, typed as a processor has it, in each task."""

    @property
    def specs(self) -> tuple[StoreSpec, ...]:
        """The state that it is made of."""

    @property
    def kept(self) -> Kept:
        """How its keys are found."""

    @property
    def value(self) -> Serde[Any]:
        """How its values are written."""

    def build(self, task: "Task") -> Built:
        """Make it in a task."""
