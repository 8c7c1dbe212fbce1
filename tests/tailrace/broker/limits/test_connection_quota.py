"""Connections in total and from one address."""

from tailrace.broker.limits.connection_quota import ConnectionQuota


def test_there_are_so_many_in_total() -> None:
    quota = ConnectionQuota(2, 9)
    assert [quota.admit(host) is None for host in ("a", "b", "c")] == [True, True, False]
    quota.leave("a")
    assert quota.admit("c") is None


def test_there_are_so_many_from_one_address() -> None:
    quota = ConnectionQuota(9, 2)
    assert [quota.admit(host) is None for host in ("a", "a", "a", "b")] == [True, True, False, True]
    quota.leave("a")
    assert quota.admit("a") is None
    assert "2 connections from a" in (quota.admit("a") or "")
