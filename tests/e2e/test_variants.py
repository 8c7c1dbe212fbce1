"""Other ways to run the same exchange: in one process, on PostgreSQL, with several instances."""

import sqlalchemy

from tests.e2e.exchange import Exchange


def check_journey(exchange):
    ada = exchange.customer("ada", home_currency="USD")
    deposited = ada.deposit("10.00", "EUR")
    assert deposited["status"] == "succeeded", deposited
    assert ada.exchange("5.00", "EUR", "CHF")["status"] == "succeeded"
    assert exchange.settled_audit()["sound"]


def test_all_services_in_one_process(tmp_path):
    with Exchange(tmp_path, "--monolith") as exchange:
        assert not exchange.processes("transactions")
        check_journey(exchange)


def test_accounts_in_postgresql(postgres, unique, tmp_path):
    url = postgres.create_database(unique("accounts"))
    with Exchange(tmp_path, f"--accounts-db={url}") as exchange:
        check_journey(exchange)
    engine = sqlalchemy.create_engine(url)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT username, home_currency, status FROM accounts").all()
    engine.dispose()
    assert rows == [("ada", "USD", "active")]
    assert not (tmp_path / "accounts.db").exists()


def test_three_instances_of_two_services(tmp_path):
    with Exchange(tmp_path, "--instances=transactions=3", "--instances=wallets=3") as exchange:
        assert len(exchange.processes("transactions")) == len(exchange.processes("wallets")) == 3
        check_journey(exchange)
