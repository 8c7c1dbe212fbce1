"""Runs of a processor that are disturbed: by rollbacks, failures, crashes and lost disks, between any two records."""

from hypothesis import strategies as st

from tailrace.registry.serde import JsonSerde
from tailrace.streams import OnError, Topology
from tailrace.testing.topology_driver import TopologyDriver

JSON = JsonSerde()
# What happens after a record: nothing, so that the next one is in the same transaction; or what is said here.
DISTURBANCES = ["go on", "commit", "write", "roll back", "crash", "lose the disk"]


def disturbances():
    return st.sampled_from(DISTURBANCES)


class Acting:
    """A processor that does to its only store what values say, and passes on what it then sees in it.

    `act(store, key, *arguments)` does it and `see(store)` gives what is passed on. A value that begins with None is a
    failure, after its rest was done.
    """

    def __init__(self, context, stored, act, see):
        self._store, self._act, self._see = context.store(stored), act, see

    def process(self, key, value):
        fails = value[:1] == [None]
        arguments = value[1:] if fails else value
        self._act(self._store, key, *arguments)
        if fails:
            raise ValueError("as told")
        yield key, self._see(self._store)


def driven(stored, act, see, *, fails=False):
    """A driver of a processor with one store. `fails`: whether it stops at failures, or leaves such records out."""
    topology = Topology("app", on_failure=OnError.FAIL if fails else OnError.SKIP)
    acting = topology.stream("in", JSON).process(
        lambda context: Acting(context, stored, act, see), stores=[stored], value=JSON
    )
    acting.to("out")
    return TopologyDriver(topology)


def run(driver, records, disturbances):
    """Process records of key, value and time with something after each; give what was passed on."""
    pending = []
    for (key, value, time), disturbance in zip(records, disturbances, strict=True):
        pending.append((key, value, time))
        driver.pipe("in", key, value, timestamp=time, commit=False)
        if disturbance == "go on":
            continue
        if disturbance in ("commit", "write"):
            driver.commit()
            if disturbance == "write":
                driver.write()
        else:
            del driver.log["in"][-len(pending) :]
            driver.rollback() if disturbance == "roll back" else driver.restart(
                lose_state=disturbance == "lose the disk"
            )
            for again in pending:
                driver.pipe("in", *again[:2], timestamp=again[2], commit=False)
            driver.commit()
        pending = []
    driver.commit()
    return [value for _, value in driver.read("out")]


def moments(lifetime_ms):
    """Times about which something happens where steps of deletion are 10 ms, or anything happens."""
    near = st.builds(
        lambda start, lifetimes, offset: start + lifetimes * lifetime_ms + offset,
        st.sampled_from([1000, 1004, 1009, 1010, 1300]),
        st.integers(0, 2),
        st.integers(-1, 1),
    )
    return st.one_of(near, near, st.integers(0, 5000))


def check_undisturbed(make, records, disturbances):
    """Check that a run gives what an undisturbed one gives, to those who read it and in the state; give the outputs.

    Long afterwards nothing is left.
    """
    driver, calm = make(), make()
    outputs = run(driver, records, disturbances)
    assert outputs == run(calm, records, ["commit"] * len(records))
    assert driver.contents() == calm.contents()
    driver.pipe("in", "end", [], timestamp=1 << 40)
    assert driver.contents() == {}
    return outputs
