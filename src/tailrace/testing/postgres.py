"""PostgreSQL for tests that need the real thing: a cluster of its own in a directory of its own."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from tailrace.testing.port import accepts
from tailrace.testing.server_process import ServerProcess


def postgres_bin() -> Path | None:
    """Give the directory with `initdb` and `postgres`: Debian's newest, or the one on the PATH."""
    if debian := sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])):
        return debian[-1].parent
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def unprivileged_user() -> str | None:
    """Give whom to run as when we are root, which PostgreSQL refuses; None when we are not."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class PostgresServer(ServerProcess):
    """A PostgreSQL server on 127.0.0.1 with one superuser, `postgres`, and a random password."""

    name = "PostgreSQL"
    stop_signal = signal.SIGINT  # fast shutdown: open connections are closed, not waited for

    @staticmethod
    def available() -> str | None:
        """Say why PostgreSQL cannot be started here; None when it can."""
        return None if postgres_bin() else "PostgreSQL is not installed; run 'make provision'"

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the database `postgres`."""
        return self._url("postgres", "postgresql+psycopg")

    def create_database(self, name: str) -> str:
        """Create an empty database and give its SQLAlchemy URL."""
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self._url(name, "postgresql+psycopg")

    @property
    def user(self) -> str | None:
        """Whom the server runs as."""
        return unprivileged_user()

    def _prepare(self) -> None:
        if reason := self.available():
            raise RuntimeError(reason)
        if (self._cluster / "PG_VERSION").exists():
            return
        self._password_file.write_text(secrets.token_hex(16))
        if self.user:
            shutil.chown(self.data_dir, self.user)
            shutil.chown(self._password_file, self.user)
        arguments = ["--auth=scram-sha-256", "--username=postgres", f"--pwfile={self._password_file}"]
        arguments += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        done = subprocess.run(
            [self._program("initdb"), f"--pgdata={self._cluster}", *arguments],
            cwd=self.data_dir,
            user=self.user,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"PostgreSQL could not initialise {self._cluster}:\n{done.stdout}{done.stderr}")

    def _argv(self) -> list[str]:
        # A killed server loses nothing without fsync, only a machine without power does.
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        options = [option for key, value in settings.items() for option in ("-c", f"{key}={value}")]
        return [self._program("postgres"), "-D", str(self._cluster), "-p", str(self.port), *options]

    def _is_ready(self) -> bool:
        if not accepts(self.port):
            return False
        try:
            psycopg.connect(self._url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:  # "the database system is starting up"
            return False
        return True

    @property
    def _cluster(self) -> Path:
        return self.data_dir / "data"

    @property
    def _password_file(self) -> Path:
        return self.data_dir / "password"

    def _program(self, name: str) -> str:
        directory = postgres_bin()
        assert directory is not None  # _prepare made sure
        return str(directory / name)

    def _url(self, database: str, scheme: str = "postgresql") -> str:
        return f"{scheme}://postgres:{self._password_file.read_text()}@127.0.0.1:{self.port}/{database}"
