"""Ways to spoil a good history, each at a random place, and the rules of which at least one must notice.

Each takes the records and a source of randomness, spoils the records, and gives whether it found something to spoil.
"""

from collections.abc import Callable
from random import Random
from typing import Any, TypeVar

import msgspec

from agio.audit.findings import Rule
from agio.audit.history import Entry, Outcome, Read, Unreadable
from agio.contracts.events import Posting, RateUsed, Reason, RejectedTransaction, RequestReference, Transaction, Wallet

from .histories import Partition, Records, append

T = TypeVar("T")
Corruption = Callable[[Records, Random], bool]
CORRUPTIONS: dict[str, tuple[Corruption, set[Rule]]] = {}

replace = msgspec.structs.replace


def caught_by(*rules: Rule) -> Callable[[Corruption], Corruption]:
    def register(corruption: Corruption) -> Corruption:
        CORRUPTIONS[corruption.__name__] = corruption, set(rules)
        return corruption

    return register


def places(log: list[Read[T]], suits: Callable[[T], bool] = lambda _: True) -> list[int]:
    return [index for index, entry in enumerate(log) if isinstance(entry, Entry) and suits(entry.value)]


def any_place(
    records: Records, random: Random, name: str, suits: Callable[[Any], bool] = lambda _: True
) -> tuple[Partition, list[Any], int] | None:
    """A random record of a topic: its partition, its log, its index."""
    found = [
        (partition, getattr(partition, name), index)
        for partition in records.partitions
        for index in places(getattr(partition, name), suits)
    ]
    return random.choice(found) if found else None


def alter(log: list[Any], index: int, **changes: Any) -> None:
    log[index] = replace(log[index], value=replace(log[index].value, **changes))


def outcomes_of(random: Random) -> str:
    return random.choice(["transactions", "rejected"])


@caught_by(Rule.ONE_OUTCOME)
def drop_an_outcome(records: Records, random: Random) -> bool:
    if place := any_place(records, random, outcomes_of(random)):
        place[1].pop(place[2])
    return place is not None


@caught_by(Rule.ORDER, Rule.ONE_OUTCOME)
def repeat_an_outcome_at_the_end(records: Records, random: Random) -> bool:
    if place := any_place(records, random, outcomes_of(random)):
        _, log, index = place
        log.append(replace(log[index], offset=log[-1].offset + 1))
    return place is not None


@caught_by(Rule.ONE_OUTCOME)
def repeat_an_outcome_at_once(records: Records, random: Random) -> bool:
    if place := any_place(records, random, outcomes_of(random)):
        _, log, index = place
        log[index + 1 :] = [log[index], *log[index + 1 :]]
        renumber(log)
    return place is not None


@caught_by(Rule.ORDER)
def swap_two_outcomes(records: Records, random: Random) -> bool:
    place = any_place(records, random, outcomes_of(random))
    if place is None or len(place[1]) < 2:
        return False
    _, log, index = place
    other = random.choice([i for i in range(len(log)) if i != index])
    one, two = log[index], log[other]
    log[index], log[other] = replace(two, offset=one.offset), replace(one, offset=two.offset)
    return True


@caught_by(Rule.ZERO_SUM)
def alter_a_posting_by_a_unit(records: Records, random: Random) -> bool:
    if place := any_place(records, random, "transactions"):
        _, log, index = place
        postings = list(log[index].value.postings)
        number = random.randrange(len(postings))
        postings[number] = replace(postings[number], amount=postings[number].amount + random.choice([-1, 1]))
        alter(log, index, postings=postings)
    return place is not None


@caught_by(Rule.BALANCES)
def alter_a_balance_by_a_unit(records: Records, random: Random) -> bool:
    if place := any_place(records, random, "transactions", lambda transaction: transaction.balances):
        _, log, index = place
        balances = dict(log[index].value.balances)
        balances[random.choice(list(balances))] += random.choice([-1, 1])
        alter(log, index, balances=balances)
    return place is not None


@caught_by(Rule.BALANCES)
def forget_a_balance(records: Records, random: Random) -> bool:
    if place := any_place(records, random, "transactions", lambda transaction: transaction.balances):
        _, log, index = place
        balances = dict(log[index].value.balances)
        del balances[random.choice(list(balances))]
        alter(log, index, balances=balances)
    return place is not None


@caught_by(Rule.DECISION)
def give_a_unit_too_much_consistently(records: Records, random: Random) -> bool:
    """The postings balance and all later balances and wallets agree: only deciding again tells."""
    place = any_place(records, random, "transactions", _pays_the_customer)
    if place is None:
        return False
    partition, log, index = place
    transaction = log[index].value
    *others, giver, taker = transaction.postings
    change = random.choice([-1, 1])
    postings = [*others, replace(giver, amount=giver.amount - change), replace(taker, amount=taker.amount + change)]
    alter(log, index, postings=postings)
    for later in places(log, lambda value: value.account_id == transaction.account_id):
        if later >= index:
            alter(log, later, balances=_shifted(log[later].value.balances, taker.currency, change))
    for later in places(
        partition.wallets,
        lambda wallet: wallet.account_id == transaction.account_id and wallet.sequence >= transaction.sequence,
    ):
        wallet = partition.wallets[later].value  # type: ignore[union-attr]
        alter(partition.wallets, later, balances=_shifted(wallet.balances, taker.currency, change))
    return True


def _pays_the_customer(transaction: Transaction) -> bool:
    return transaction.postings[-1].account == f"user:{transaction.account_id}"


def _shifted(balances: dict[str, int], currency: str, change: int) -> dict[str, int]:
    balance = balances.get(currency, 0) + change
    others = {code: amount for code, amount in balances.items() if code != currency}
    return others | ({currency: balance} if balance else {})


@caught_by(Rule.SEQUENCE)
def fork_a_sequence(records: Records, random: Random) -> bool:
    if place := any_place(records, random, "transactions"):
        _, log, index = place
        alter(log, index, sequence=log[index].value.sequence + random.choice([-1, 1, 7]))
    return place is not None


@caught_by(Rule.SEQUENCE)
def leave_a_gap_in_a_sequence(records: Records, random: Random) -> bool:
    """All that follows agrees, wallets too."""
    place = any_place(records, random, "transactions")
    if place is None:
        return False
    partition, log, index = place
    account_id, first = log[index].value.account_id, log[index].value.sequence
    when = log[index].value.request.offset

    def follows(value: Any) -> bool:
        if value.account_id != account_id:
            return False
        return value.sequence >= first if isinstance(value, Wallet) else bool(value.request.offset >= when)

    logs: list[list[Any]] = [log, partition.rejected, partition.wallets]
    for each in logs:
        for later in places(each, follows):
            alter(each, later, sequence=each[later].value.sequence + 1)
    return True


@caught_by(Rule.ONE_OUTCOME)
def answer_a_request_that_never_was(records: Records, random: Random) -> bool:
    place = any_place(records, random, outcomes_of(random))
    if place is None:
        return False
    partition, log, index = place
    used = {entry.offset for entry in partition.requests}
    free = [offset for offset in range(max(used) + 100) if offset not in used]
    request = replace(log[index].value.request, offset=random.choice(free))
    phantom = replace(log[index].value, request=request)
    append(log, log[index].topic, log[index].partition, log[index].key, phantom)
    return True


@caught_by(Rule.ONE_OUTCOME)
def name_another_request(records: Records, random: Random) -> bool:
    if place := any_place(records, random, outcomes_of(random)):
        _, log, index = place
        request = log[index].value.request
        other = random.choice(
            [
                replace(request, topic="payments"),
                replace(request, partition=request.partition + 1),
                replace(request, offset=request.offset + random.choice([-1, 1, 10**12])),
            ]
        )
        alter(log, index, request=other)
    return place is not None


@caught_by(Rule.ONE_OUTCOME)
def move_an_outcome_to_another_partition(records: Records, random: Random) -> bool:
    name = outcomes_of(random)
    place = any_place(records, random, name)
    if place is None:
        return False
    _, log, index = place
    entry = log.pop(index)
    number = (entry.partition + 1) % len(records.partitions)
    append(getattr(records.partitions[number], name), entry.topic, number, entry.key, entry.value)
    return True


@caught_by(Rule.RATE)
def decide_by_a_rate_that_never_was(records: Records, random: Random) -> bool:
    """What is bought is right for the rate recorded; the rate is not the one at its place."""
    place = any_place(records, random, outcomes_of(random), lambda outcome: outcome.rate is not None)
    if place is None:
        return False
    _, log, index = place
    rate: RateUsed = log[index].value.rate
    change: dict[str, Any] = random.choice(
        [{"bid": rate.bid + "0"}, {"ask": rate.ask + "0"}, {"as_of": rate.as_of - 1}, {"offset": rate.offset + 10**6}]
    )
    alter(log, index, rate=replace(rate, **change))
    return True


@caught_by(Rule.DECISION)
def decide_by_a_better_rate(records: Records, random: Random) -> bool:
    place = any_place(records, random, "transactions", lambda transaction: transaction.rate is not None)
    if place is None:
        return False
    _, log, index = place
    rate: RateUsed = log[index].value.rate
    alter(log, index, rate=replace(rate, bid="9" + rate.bid, ask="0." + rate.ask.replace(".", "")))
    return True


@caught_by(Rule.DECISION)
def decide_without_the_rate(records: Records, random: Random) -> bool:
    if place := any_place(records, random, outcomes_of(random), lambda outcome: outcome.rate is not None):
        alter(place[1], place[2], rate=None)
    return place is not None


@caught_by(Rule.DECISION)
def forge_a_reason(records: Records, random: Random) -> bool:
    """Except where the topics leave it open: whether the account was known or closed at that time."""
    open_questions = {Reason.UNKNOWN_ACCOUNT, Reason.ACCOUNT_CLOSED}
    place = any_place(records, random, "rejected", lambda rejected: rejected.reason not in open_questions)
    if place is None:
        return False
    _, log, index = place
    reasons = [reason for reason in Reason if reason not in open_questions | {log[index].value.reason}]
    alter(log, index, reason=random.choice(reasons))
    return True


@caught_by(Rule.ACCOUNT, Rule.DECISION)
def forge_an_unknown_account(records: Records, random: Random) -> bool:
    known = {
        entry.key: entry.value.request.offset
        for partition in records.partitions
        for entry in reversed(partition.transactions)
        if isinstance(entry, Entry)
    }
    place = any_place(
        records,
        random,
        "rejected",
        lambda rejected: (
            rejected.reason is not Reason.UNKNOWN_ACCOUNT
            and rejected.request.offset > known.get(rejected.account_id, 10**9)
        ),
    )
    if place is None:
        return False
    alter(place[1], place[2], reason=Reason.UNKNOWN_ACCOUNT, rate=None)
    return True


@caught_by(Rule.ACCOUNT, Rule.DECISION)
def forge_a_closed_account(records: Records, random: Random) -> bool:
    closed = {entry.value.account_id for entry in records.accounts if entry.value.status == "closed"}  # type: ignore[union-attr]
    place = any_place(records, random, "rejected", lambda rejected: rejected.account_id not in closed)
    if place is None:
        return False
    alter(place[1], place[2], reason=Reason.ACCOUNT_CLOSED, rate=None)
    return True


@caught_by(Rule.DECISION)
def name_another_last_sequence(records: Records, random: Random) -> bool:
    if place := any_place(records, random, "rejected"):
        _, log, index = place
        alter(log, index, sequence=log[index].value.sequence + random.choice([-1, 1]))
    return place is not None


@caught_by(Rule.DECISION)
def refuse_what_was_covered(records: Records, random: Random) -> bool:
    place = any_place(records, random, "transactions")
    if place is None:
        return False
    partition, log, index = place
    done: Transaction = log.pop(index).value
    refused = RejectedTransaction(
        transaction_id=done.transaction_id,
        account_id=done.account_id,
        type=done.type,
        reason=Reason.INSUFFICIENT_FUNDS,
        message="",
        sequence=done.sequence - 1,
        rate=done.rate,
        request=done.request,
        request_digest=done.request_digest,
        decided_at=done.decided_at,
    )
    insert(partition.rejected, "rejected-transactions", done, refused)
    return True


@caught_by(Rule.DECISION)
def do_what_was_refused(records: Records, random: Random) -> bool:
    open_questions = {Reason.UNKNOWN_ACCOUNT, Reason.ACCOUNT_CLOSED}
    place = any_place(records, random, "rejected", lambda rejected: rejected.reason not in open_questions)
    if place is None:
        return False
    partition, log, index = place
    refused: RejectedTransaction = log.pop(index).value
    done = Transaction(
        transaction_id=refused.transaction_id,
        account_id=refused.account_id,
        type=refused.type,
        sequence=refused.sequence + 1,
        postings=[Posting("external:card", "EUR", -1), Posting(f"user:{refused.account_id}", "EUR", 1)],
        balances={"EUR": 1},
        rate=refused.rate,
        request=refused.request,
        request_digest=refused.request_digest,
        decided_at=refused.decided_at,
    )
    insert(partition.transactions, "transactions", refused, done)
    return True


def insert(log: list[Any], topic: str, like: Outcome, outcome: Outcome) -> None:
    """Put an outcome where its request's place in the order is."""
    index = sum(entry.value.request.offset < like.request.offset for entry in log)
    log.insert(index, Entry(topic, like.request.partition, 0, like.account_id, outcome))
    renumber(log)


def renumber(log: list[Any]) -> None:
    log[:] = [replace(entry, offset=offset) for offset, entry in enumerate(log)]


@caught_by(Rule.POSTINGS)
def post_to_somebody_else(records: Records, random: Random) -> bool:
    if place := any_place(records, random, "transactions"):
        _, log, index = place
        postings = list(log[index].value.postings)
        number = random.randrange(len(postings))
        account = random.choice(["user:somebody", "house:fees", "", "user"])
        postings[number] = replace(postings[number], account=account)
        alter(log, index, postings=postings)
    return place is not None


@caught_by(Rule.READABLE)
def write_under_another_key(records: Records, random: Random) -> bool:
    if place := any_place(records, random, random.choice(["transactions", "rejected", "wallets"])):
        _, log, index = place
        log[index] = replace(log[index], key="somebody")
    return place is not None


@caught_by(Rule.DECISION)
def answer_another_account(records: Records, random: Random) -> bool:
    if place := any_place(records, random, outcomes_of(random)):
        _, log, index = place
        alter(log, index, account_id="somebody")
        log[index] = replace(log[index], key="somebody")
    return place is not None


@caught_by(Rule.DECISION)
def change_what_an_outcome_says_of_its_request(records: Records, random: Random) -> bool:
    if place := any_place(records, random, outcomes_of(random)):
        _, log, index = place
        alter(log, index, **random.choice([{"transaction_id": "other"}, {"request_digest": "0" * 32}]))
    return place is not None


@caught_by(Rule.ONE_OUTCOME)
def lose_an_answered_request(records: Records, random: Random) -> bool:
    place = any_place(records, random, outcomes_of(random))
    if place is None:
        return False
    partition, log, index = place
    partition.requests[:] = [
        request for request in partition.requests if request.offset != log[index].value.request.offset
    ]
    return True


@caught_by(Rule.DECISION)
def change_an_answered_request(records: Records, random: Random) -> bool:
    place = any_place(records, random, outcomes_of(random))
    if place is None:
        return False
    partition, log, index = place
    offset = log[index].value.request.offset
    number = next(i for i, request in enumerate(partition.requests) if request.offset == offset)
    alter(partition.requests, number, amount="123456")
    return True


@caught_by(Rule.ONE_OUTCOME)
def make_a_request_unreadable(records: Records, random: Random) -> bool:
    place = any_place(records, random, outcomes_of(random))
    if place is None:
        return False
    partition, log, index = place
    offset = log[index].value.request.offset
    number = next(i for i, request in enumerate(partition.requests) if request.offset == offset)
    partition.requests[number] = unreadable(partition.requests[number])
    return True


@caught_by(Rule.READABLE)
def make_a_record_unreadable(records: Records, random: Random) -> bool:
    if place := any_place(records, random, random.choice(["transactions", "rejected", "wallets"])):
        place[1][place[2]] = unreadable(place[1][place[2]])
    return place is not None


def unreadable(entry: Read[object]) -> Unreadable:
    return Unreadable(entry.topic, entry.partition, entry.offset, "garbage")


@caught_by(Rule.DEAD_LETTERS)
def drop_a_dead_letter(records: Records, random: Random) -> bool:
    if records.dead_letters:
        records.dead_letters.pop(random.randrange(len(records.dead_letters)))
        return True
    return False


@caught_by(Rule.ONE_OUTCOME)
def bury_an_answered_request(records: Records, random: Random) -> bool:
    if place := any_place(records, random, outcomes_of(random)):
        records.dead_letters.append(place[1][place[2]].value.request)
    return place is not None


@caught_by(Rule.ONE_OUTCOME)
def bury_a_request_instead_of_answering(records: Records, random: Random) -> bool:
    if place := any_place(records, random, outcomes_of(random)):
        records.dead_letters.append(place[1].pop(place[2]).value.request)
    return place is not None


@caught_by(Rule.WALLETS)
def alter_a_wallet_by_a_unit(records: Records, random: Random) -> bool:
    if place := any_place(records, random, "wallets"):
        _, log, index = place
        balances = log[index].value.balances
        currency = random.choice([*balances, "CHF"])
        alter(log, index, balances=_shifted(balances, currency, random.choice([-1, 1])))
    return place is not None


@caught_by(Rule.WALLETS)
def put_a_wallet_ahead(records: Records, random: Random) -> bool:
    if place := any_place(records, random, "wallets"):
        alter(place[1], place[2], sequence=10**6)
    return place is not None


@caught_by(Rule.WALLETS)
def let_a_wallet_go_back(records: Records, random: Random) -> bool:
    place = any_place(records, random, "wallets", lambda wallet: wallet.sequence > 0)
    if place is None:
        return False
    _, log, index = place
    entry = log[index]
    earlier = [
        other.value for other in log if other.key == entry.key and other.value.sequence < entry.value.sequence
    ] or [replace(entry.value, sequence=0, balances={})]
    append(log, entry.topic, entry.partition, entry.key, random.choice(earlier))
    return True


@caught_by(Rule.WALLETS)
def forget_the_last_wallets(records: Records, random: Random) -> bool:
    place = any_place(records, random, "transactions")
    if place is None:
        return False
    partition, log, index = place
    account_id = log[index].value.account_id
    last = max(entry.value.sequence for entry in log if entry.key == account_id)
    kept = [
        entry
        for entry in partition.wallets
        if isinstance(entry, Entry) and (entry.key != account_id or entry.value.sequence < last)
    ]
    partition.wallets[:] = kept
    return True


@caught_by(Rule.ACCOUNT)
def serve_an_account_that_does_not_exist(records: Records, random: Random) -> bool:
    place = any_place(records, random, "transactions")
    if place is None:
        return False
    account_id = place[1][place[2]].value.account_id
    records.accounts[:] = [entry for entry in records.accounts if entry.value.account_id != account_id]  # type: ignore[union-attr]
    return True


@caught_by(Rule.ONE_OUTCOME)
def execute_a_repeated_request(records: Records, random: Random) -> bool:
    place = any_place(records, random, "transactions")
    if place is None:
        return False
    partition, log, index = place
    done: Transaction = log[index].value
    request = next(entry for entry in partition.requests if entry.offset == done.request.offset)
    again = replace(request, offset=partition.requests[-1].offset + 1)
    partition.requests.append(again)
    last = next(entry.value for entry in reversed(log) if entry.key == done.account_id)
    outcome = replace(
        done,
        sequence=last.sequence + 1,
        balances=last.balances,
        request=RequestReference(again.topic, again.partition, again.offset),
    )
    append(log, "transactions", done.request.partition, done.account_id, outcome)
    return True
