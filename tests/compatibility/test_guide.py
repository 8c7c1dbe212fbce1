"""docs/broker-compatibility.md says what the broker has."""

from pathlib import Path

from tailrace.broker.dispatch import TABLE, Api

GUIDE = Path(__file__).parents[2] / "docs" / "broker-compatibility.md"


def row(api: Api) -> str:
    """An API as a row of the guide's table."""
    name = "".join(word.capitalize() for word in api.name.split("_"))
    first, last = api.versions[0], api.versions[-1]
    return f"| {name} | {api.key} | {first if first == last else f'{first} to {last}'} |"


def test_the_guide_lists_all_apis() -> None:
    lines = GUIDE.read_text(encoding="utf-8").splitlines()
    start = lines.index("| API | key | versions |") + 2
    assert lines[start : start + len(TABLE)] == [row(api) for api in TABLE], "write the rows anew"
    assert not lines[start + len(TABLE)].startswith("|")
