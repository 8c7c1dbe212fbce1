"""Opens accounts: asks for all at once and waits until the account database has passed them on."""

import time
from collections.abc import Sequence

import msgspec

from agio.contracts.events import AccountRequest
from agio.contracts.topics import ACCOUNT_REQUESTS, ACCOUNTS
from agio.load.tail import tail
from tailrace.client import consume_available, producer
from tailrace.clock import now_ms
from tailrace.registry.client import Registry


class AccountsNotOpened(Exception):
    """The accounts asked for did not all appear."""


def open_accounts(
    bootstrap_servers: str, registry: Registry, wanted: Sequence[AccountRequest], timeout_s: float
) -> None:
    """Return once all accounts exist; asking for one that exists changes nothing.

    Raises AccountsNotOpened when no more appear for `timeout_s`.
    """
    _ask(bootstrap_servers, registry, wanted)
    missing = {request.account_id.encode() for request in wanted}
    reader = tail(bootstrap_servers, [ACCOUNTS.topic], from_start=True)
    try:
        deadline = time.monotonic() + timeout_s
        while missing:
            before = len(missing)
            missing.difference_update(record.key() for record in consume_available(reader, 10_000, 0.1))
            if len(missing) < before:
                deadline = time.monotonic() + timeout_s
            elif time.monotonic() > deadline:
                raise AccountsNotOpened(
                    f"{len(missing)} of {len(wanted)} accounts did not appear in the topic {ACCOUNTS.topic} "
                    f"within {timeout_s:g} s; is the accounts service running?"
                )
    finally:
        reader.close()


def _ask(bootstrap_servers: str, registry: Registry, wanted: Sequence[AccountRequest]) -> None:
    serde = ACCOUNT_REQUESTS.serde(registry)
    sender = producer(bootstrap_servers)
    for request in wanted:
        value = serde.encode(msgspec.structs.replace(request, requested_at=now_ms()))
        sender.produce(ACCOUNT_REQUESTS.topic, value, request.account_id)
        sender.poll(0)
    sender.flush()
