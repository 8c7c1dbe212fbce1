"""What can go wrong in Connect.

ConnectError
├── ConfigError            a configuration asks for what cannot be; nothing was started
├── DataError              a record cannot be converted or written; it is tolerated or stops the task
└── RetriableError         the other system cannot take part now; the same again, later, may succeed
    └── SystemUnreachable  it does not answer at all
"""


class ConnectError(Exception):
    """Anything this package raises."""


class ConfigError(ConnectError):
    """A configuration that cannot be run; the message names key, value and what is allowed."""


class DataError(ConnectError):
    """One record is at fault, not the task."""


class RetriableError(ConnectError):
    """Kafka Connect's RetriableException: nothing was written, and trying again makes sense."""


class SystemUnreachable(RetriableError):
    """The other system is down or cannot be reached."""
