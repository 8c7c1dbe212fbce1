"""The fraud filter, as a stream and with nothing but a Kafka client."""

import threading
import time

import msgspec
from examples.fraud import native, stream
from examples.fraud.stream import Payment, Scored

from tailrace.client import Topic, ensure_topics, producer, read_to_end
from tailrace.testing.topology_driver import TopologyDriver


def test_a_payment_far_above_the_habit_of_its_account_is_passed_on():
    driver = TopologyDriver(stream.build())
    for amount in (10, 12, 11, 40, 900, 5):
        driver.pipe("payments", "ann", Payment("ann", amount))
        driver.pipe("payments", "bob", Payment("bob", 900))
    ((account, scored),) = driver.read("fraudulent_payments")
    assert (account, scored.amount, round(scored.fraud_probability, 2)) == ("ann", 900, 0.98)
    driver.restart(lose_state=True)
    driver.pipe("payments", "ann", Payment("ann", 9_000))
    assert [scored.amount for _, scored in driver.read("fraudulent_payments")] == [9_000]


def test_the_native_client_passes_on_what_is_above_the_limit(broker):
    ensure_topics(broker.bootstrap_servers, [Topic("scored_payments", 2), Topic("fraudulent_payments", 2)])
    writer = producer(broker.bootstrap_servers)
    for number in range(100):
        scored = Scored("ann", number, number / 100)
        writer.produce("scored_payments", msgspec.json.encode(scored), key=str(number % 5))
    assert writer.flush(60) == 0
    stop = threading.Event()
    running = threading.Thread(target=native.run, args=(broker.bootstrap_servers, stop), daemon=True)
    running.start()
    deadline, found = time.monotonic() + 60, []
    while len(found) < 19 and time.monotonic() < deadline:
        records = read_to_end(broker.bootstrap_servers, ["fraudulent_payments"])
        found = sorted(msgspec.json.decode(record.value())["amount"] for record in records)
    stop.set()
    running.join(60)
    assert found == list(range(81, 100))
