"""The topologies that the instances run, by the names of their applications."""

from tailrace.streams import Emit, JoinWindow, Sessions, Topology, Tumbling

# Nothing is late by so much: a window is closed by the last records of all only.
GRACE = "1h"


def build(name):
    return {"chaos": everything, "counts": counts}[name.partition("-")[0]](name)


def everything(name):
    """It counts behind a repartition, joins, and has windows that close."""
    topology = Topology(name)
    lines = topology.stream(f"{name}-lines", str)
    lines.flat_map_values(str.split, value=str).group_by(lambda w: w).count(store="words").to(f"{name}-counts")

    grouped = lines.group_by_key()
    grouped.windowed_by(Tumbling(500, grace=GRACE), emit=Emit.CLOSE).count(store="windows").to(f"{name}-windows")
    sessions = grouped.windowed_by(Sessions(40, grace=GRACE), emit=Emit.CLOSE)
    sessions.reduce(lambda one, other: min(one, other), store="sessions").to(f"{name}-sessions")

    names = topology.table(f"{name}-names", str)
    orders = topology.stream(f"{name}-orders", str)
    orders.left_join(names, lambda order, name: f"{order}:{name}").to(f"{name}-named", str)
    clicks = topology.stream(f"{name}-clicks", str)
    window = JoinWindow(30, 30, GRACE)
    orders.left_join(clicks, lambda order, click: f"{order}:{click}", within=window).to(f"{name}-met", str)
    return topology


def counts(name):
    """It counts, with an output for each input."""
    topology = Topology(name)
    topology.stream(f"{name}-lines", bytes).group_by_key().count(store="lines").to(f"{name}-counts")
    return topology


INPUTS = ["names", "lines", "clicks", "orders"]
OUTPUTS = ["counts", "windows", "sessions", "named", "met"]
