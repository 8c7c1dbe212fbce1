"""Pictures of a topology, and its hash."""

from xml.etree import ElementTree

from tailrace.streams import Topology


def topology(store="sums", limit=1):
    topology = Topology("app")
    limits = topology.table("limits", int)
    large = topology.stream("in", int).filter(lambda v: v > limit)
    large.join(limits, min, value=int).to("<out>")
    large.select_key(abs, key=int).group_by_key().count(store=store).to("counts")
    return topology


def test_as_mermaid():
    assert topology().mermaid().splitlines() == [
        "flowchart LR",
        '  v0(["limits"])',
        '  v1(["in"])',
        '  v4(["<out>"])',
        '  v6(["app-sums-repartition"])',
        '  v10(["counts"])',
        '  subgraph s0["sub-topology 0"]',
        '    v2["filter topology.<locals>.<lambda>"]',
        '    v3["join limits"]',
        '    v5["select key abs"]',
        "  end",
        '  subgraph s1["sub-topology 1"]',
        '    v7["aggregate Count in sums"]',
        '    v8[("sums")]',
        '    v9["to stream"]',
        "  end",
        *["  v1 --> v2", "  v0 -.- v3", "  v2 --> v3", "  v3 --> v4", "  v2 --> v5", "  v5 --> v6"],
        *["  v7 -.- v8", "  v6 --> v7", "  v7 --> v9", "  v9 --> v10"],
    ]


def test_as_svg_each_step_stands_behind_what_feeds_it():
    drawn = ElementTree.fromstring(topology().svg())
    texts = {text.text: float(text.get("x")) for text in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert texts["limits"] < texts["join limits"] < texts["<out>"]
    assert texts["in"] < texts["select key abs"] < texts["app-sums-repartition"] < texts["aggregate Count in sums"]
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}path"))) == 10


def test_a_topology_that_reads_what_it_writes_can_be_drawn():
    topology = Topology("app")
    topology.stream("in", int).map_values(abs, value=int).to("in")
    assert "map values abs" in topology.svg()
    assert "v0 --> v1" in topology.mermaid()


def test_the_hash_is_of_the_shape():
    assert topology().fingerprint() == topology(limit=2).fingerprint()
    assert topology().fingerprint() != topology("other").fingerprint()
    longer = topology()
    longer.stream("more", int).to("out")
    assert longer.fingerprint() != topology().fingerprint()
