"""When a client has let the broker wait for too long."""

from tailrace.broker.limits.config import LimitsConfig
from tailrace.broker.limits.patience import Patience

CONFIG = LimitsConfig(
    connection_authentication_timeout_ms=1000,
    socket_receive_timeout_ms=2000,
    socket_send_timeout_ms=3000,
    connections_max_idle_ms=4000,
)


def overdue(
    patience: Patience,
    now: float,
    *,
    is_known: bool = True,
    is_receiving: bool = False,
    is_idle: bool = False,
    unread_bytes: int = 0,
) -> bool:
    found = patience.overdue(
        now, is_known=is_known, is_receiving=is_receiving, is_idle=is_idle, unread_bytes=unread_bytes
    )
    return found is not None


def test_a_login_has_to_be_over_in_time() -> None:
    patience = Patience(CONFIG, 100)
    patience.heard(100.9, is_complete=True)
    assert not overdue(patience, 101, is_known=False)
    assert overdue(patience, 101.1, is_known=False)
    assert not overdue(patience, 101.1)


def test_a_request_has_to_be_complete_in_time() -> None:
    patience = Patience(CONFIG, 0)
    assert not overdue(patience, 10, is_receiving=True)
    patience.heard(11, is_complete=False)
    assert overdue(patience, 12.1, is_receiving=True), "more of it is not enough"
    patience = Patience(CONFIG, 0)
    assert not overdue(patience, 10, is_receiving=True)
    patience.heard(11, is_complete=True)
    assert not overdue(patience, 12.1, is_receiving=True), "this is another one"


def test_it_is_not_the_clients_fault_when_we_do_not_read() -> None:
    patience = Patience(CONFIG, 0)
    assert not overdue(patience, 10, is_receiving=True)
    patience.hears_again(20)
    assert not overdue(patience, 20.1, is_receiving=True)
    assert not overdue(patience, 22, is_receiving=True)
    assert overdue(patience, 22.2, is_receiving=True)


def test_replies_have_to_be_read() -> None:
    patience = Patience(CONFIG, 0)
    assert not overdue(patience, 10)
    assert not overdue(patience, 10.5, unread_bytes=500)
    assert not overdue(patience, 12.9, unread_bytes=400)
    assert not overdue(patience, 15.8, unread_bytes=400)
    assert overdue(patience, 16, unread_bytes=400)
    patience.was_read(17)
    assert not overdue(patience, 19, unread_bytes=900)


def test_idle_is_who_says_nothing_and_waits_for_nothing() -> None:
    patience = Patience(CONFIG, 0)
    assert not overdue(patience, 4, is_idle=True)
    assert overdue(patience, 4.1, is_idle=True)
    assert not overdue(patience, 4.1, is_idle=False)
    patience.heard(4, is_complete=True)
    assert not overdue(patience, 8, is_idle=True)
