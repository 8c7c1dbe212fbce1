"""Who has which task, as the instances say."""

from hypothesis import given
from hypothesis import strategies as st

from tailrace.streams.instances.claims import DEAD_AFTER_S, Claim, Claims, decoded, encoded

LINES = ("lines", 0)
WORDS = ("words", 3)


def told(*notes):
    """What is known after `(name, tasks)`, one after the other; None instead of tasks for one that stopped."""
    claims = Claims()
    for offset, (name, tasks) in enumerate(notes):
        claims.note(name, None if tasks is None else Claim(active=tuple(tasks)), offset, now_s=0)
    return claims


def owner(claims, task):
    found = claims.owner(task)
    return found and found.name


def test_what_nobody_has_has_no_owner():
    assert owner(told(), LINES) is None
    assert owner(told(("1", [WORDS]), ("2", [])), LINES) is None


def test_who_claimed_last_has_it():
    assert owner(told(("1", [LINES]), ("2", [LINES])), LINES) == "2"
    assert owner(told(("2", [LINES]), ("1", [LINES])), LINES) == "1"
    assert owner(told(("2", [LINES]), ("1", [LINES]), ("1", [])), LINES) == "2"


def test_who_says_again_what_it_had_does_not_have_what_another_has_claimed_since():
    assert owner(told(("1", [LINES]), ("2", [LINES]), ("1", [LINES])), LINES) == "2"
    # One that was without it in between has claimed it anew.
    assert owner(told(("1", [LINES]), ("2", [LINES]), ("1", []), ("1", [LINES])), LINES) == "1"
    assert owner(told(("1", [LINES]), ("2", [LINES]), ("1", [LINES, WORDS])), WORDS) == "1"


def test_who_has_stopped_has_nothing_and_a_new_life_begins_with_nothing():
    assert owner(told(("1", [LINES]), ("1", None)), LINES) is None
    assert owner(told(("1", [LINES]), ("2", [LINES]), ("2", None)), LINES) == "1"
    assert owner(told(("1", [LINES]), ("2", [LINES]), ("1", None), ("1", [LINES])), LINES) == "1"
    assert owner(told(("1", None)), LINES) is None


def test_who_was_not_heard_of_for_a_while_is_taken_for_dead():
    claims = Claims()
    claims.note("2", Claim(), 0, now_s=5)
    claims.note("1", Claim(), 1, now_s=6)
    assert [member.name for member in claims.live(5 + DEAD_AFTER_S - 0.1)] == ["1", "2"]
    assert [member.name for member in claims.live(5 + DEAD_AFTER_S)] == ["1"]
    claims.note("2", Claim(), 2, now_s=5 + DEAD_AFTER_S)
    assert [member.name for member in claims.live(6 + DEAD_AFTER_S)] == ["2"]


@given(st.lists(st.tuples(st.sampled_from("12"), st.none() | st.booleans()), max_size=20))
def test_a_task_is_with_the_last_that_took_it_of_those_that_did_not_let_go_of_it(steps):
    claims, holders = Claims(), []
    for offset, (name, has) in enumerate(steps):
        claims.note(name, None if has is None else Claim(active=(LINES,) if has else ()), offset, 0)
        if not has and name in holders:
            holders.remove(name)
        elif has and name not in holders:
            holders.append(name)
        assert owner(claims, LINES) == (holders[-1] if holders else None)


def test_a_claim_can_be_read_again():
    for claim in (Claim(), Claim("127.0.0.1:1", (LINES, WORDS), ((LINES, 3),), is_standby=True)):
        assert decoded(encoded(claim)) == claim
    # What a later version adds does not disturb.
    assert decoded(b'{"active":[["lines",0]],"more":1}') == Claim(active=(LINES,))
