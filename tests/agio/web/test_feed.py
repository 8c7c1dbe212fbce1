"""Reading the topics into the view: who is told of a change, and when."""

import threading
import uuid
from pathlib import Path

from agio.contracts import topics
from agio.contracts.events import Account, SignUp
from agio.web.feed import Feed
from agio.web.live import Changes
from agio.web.view.queries import Queries
from tailrace.registry.client import RegistryClient
from tests.agio.web.conftest import Platform


def test_whoever_is_asked_for_watchers_could_look_at_the_change_already(platform: Platform, tmp_path: Path) -> None:
    """A watch that begins right after that question looks at the view, and has to find there what it is not told."""
    account_id, path = str(uuid.uuid4()), tmp_path / "view.db"
    caught_up, told = threading.Event(), threading.Event()
    seen: list[str | None] = []

    def is_watched(asked: str) -> bool:
        if asked == account_id:
            account = Queries(path).account(account_id)
            seen.append(account.status if account else None)
        return asked == account_id

    def on_changes(changes: Changes) -> None:
        if account_id in changes.accounts and changes.accounts[account_id].account:
            told.set()

    feed = Feed(
        platform.bootstrap_servers,
        RegistryClient(platform.schema_registry),
        path,
        prepare=lambda: None,
        on_changes=on_changes,
        on_caught_up=caught_up.set,
        is_watched=is_watched,
    )
    feed.start()
    assert caught_up.wait(60), feed.waits_for
    username = f"user-{account_id}"
    platform.others.write(topics.SIGN_UPS, username, SignUp(username, account_id, "Ada", "EUR", "hash", 1))
    platform.others.write(topics.ACCOUNTS, account_id, Account(account_id, username, "Ada", "EUR", "active", 2))
    assert told.wait(60)
    feed.stop()
    assert not feed.is_alive()
    assert feed.failure is None
    assert seen == ["active"]
