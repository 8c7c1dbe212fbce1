"""What one instance of a service is told at its start."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the platform is, and what is particular to this instance.

    `data`: folder for what the instance keeps; all of it but the account database can be rebuilt from topics.
    `instance`: 1, 2, …: a stable number that no other running instance of the service has.
    `accounts_db`: SQLAlchemy URL of the account database; None is an SQLite file in `data`.
    """

    bootstrap_servers: str = "127.0.0.1:9092"
    schema_registry: str = "http://127.0.0.1:8081"
    data: Path = Path("data")
    instance: int = 1
    host: str = "127.0.0.1"
    port: int = 8080
    accounts_db: str | None = None
    rates: str = "ecb"
