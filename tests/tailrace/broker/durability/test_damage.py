"""The last 64 KiB of the journal, damaged at each byte: what was acknowledged is served, or the broker does not start.

A crash can leave the end of the journal torn, so a frame that nobody knows to have been durable ends it there. A frame
that a later one knows to have been durable was lost by the disk, and then the broker does not start.
"""

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import NamedTuple

import msgspec
import pytest

from tailrace.broker.broker import Broker
from tailrace.broker.log import journal
from tailrace.broker.log.journal import JournalDamaged, decode_frames, journal_files
from tailrace.broker.recovery import recover
from tests.soak import SEED, SOAK
from tests.tailrace.broker.durability.interleaving import run_broker
from tests.tailrace.broker.durability.ledger import Ledger
from tests.tailrace.broker.durability.simulated_disk import SimulatedDisk
from tests.tailrace.broker.durability.verification import verify
from tests.tailrace.broker.durability.workload import create_topics, work

TAIL_BYTES = 64 << 10
SAMPLE = 150


class Original(NamedTuple):
    """A journal, and what clients know of it after each frame."""

    disk: SimulatedDisk
    name: str
    data: bytes
    ledger: Ledger


@pytest.fixture(scope="module")
def original() -> Original:
    """Some 64 KiB of journal without a checkpoint behind them."""
    disk, ledger, random = SimulatedDisk(), Ledger(), Random(SEED)

    async def use(broker: Broker) -> None:
        await create_topics(broker, ledger)
        while broker.commit._journal.size < 1.2 * TAIL_BYTES:
            await work(broker, ledger, random, 6, with_checkpoints=False)
        await broker.commit.durable()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, "RESERVED_BYTES", 2 * TAIL_BYTES)
        run_broker(disk, recover(disk), random, use)
    [(_, name)] = journal_files(disk)
    content = disk.read(name) or b""
    *_, (_, end) = decode_frames(content, 1)
    return Original(disk, name, content[:end], ledger)


def damages(position: int, data: bytes, random: Random) -> Iterator[tuple[str, bytes]]:
    """The journal cut, and with the rest zeroed, one bit flipped, or some bytes scrambled from a position on."""
    yield "cut", data[:position]
    yield "zero", data[:position] + bytes(len(data) - position)
    yield "flip", data[:position] + bytes([data[position] ^ 1 << random.randrange(8)]) + data[position + 1 :]
    scrambled = random.randbytes(random.randint(1, 600))
    yield "scramble", (data[:position] + scrambled + data[position + len(scrambled) :])[: len(data)]


class Recovered:
    """States after the frames of a journal, each found out once."""

    def __init__(self, original: Original) -> None:
        self._original = original
        self._states: dict[int, bytes | None] = {}
        self.ends = [0] + [end for _, end in decode_frames(original.data, 1)]

    def intact_frames(self, damaged: bytes) -> int:
        """How many frames at the start are whole."""
        return sum(damaged[:end] == self._original.data[:end] for end in self.ends) - 1

    def after(self, frames: int) -> bytes | None:
        """The state after that many frames."""
        if frames not in self._states:
            self._states[frames] = self.of(self._original.data[: self.ends[frames]])
        return self._states[frames]

    def of(self, data: bytes) -> bytes | None:
        """The state that a journal leads to, None when the broker does not start with it."""
        disk = self._original.disk.after_kill()
        file = disk.open(self._original.name)
        file.truncate(0)
        file.write((data,), 0)
        try:
            return msgspec.msgpack.encode(recover(disk).checkpoint())
        except JournalDamaged:
            return None


def test_damage_at_any_byte_is_noticed_or_ends_the_journal(original: Original) -> None:
    random = Random(SEED)
    recovered = Recovered(original)
    first = len(original.data) - TAIL_BYTES
    positions = range(first, len(original.data))
    for position in positions if SOAK else random.sample(positions, SAMPLE):
        for kind, damaged in damages(position, original.data, random):
            place = f"seed {SEED}, {kind} at byte {position:,} of {len(original.data):,}"
            intact = recovered.intact_frames(damaged)
            later = decode_later_frames(original, damaged, recovered.ends, intact)
            if any(frame_durable > intact for frame_durable in later):
                assert recovered.of(damaged) is None, place
            else:
                assert recovered.of(damaged) == recovered.after(intact), place


def decode_later_frames(original: Original, damaged: bytes, ends: list[int], intact: int) -> list[int]:
    """Up to where frames behind the damage, which are whole, know the journal to have been durable."""
    found = []
    for start, end in pairwise(ends[intact + 1 :]):
        if damaged[start:end] == original.data[start:end]:
            found.append(int.from_bytes(damaged[start + 16 : start + 24], "big"))
    return found


def test_the_whole_journal_gives_everything_acknowledged(original: Original) -> None:
    verify(recover(original.disk.after_kill()), original.ledger)
