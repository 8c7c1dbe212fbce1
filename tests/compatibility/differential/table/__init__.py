"""The table of requests that both brokers have to answer alike, in all versions that both have.

A row changes nothing that another row sees: what it creates has a fresh name. Where answers differ for a reason, the
row is named in `known_differences`.
"""

from ..rows import Row
from .cluster import CLUSTER
from .configs import CONFIGS
from .groups import GROUPS
from .records import RECORDS
from .topics import TOPICS
from .transactions import TRANSACTIONS

TABLE: list[Row] = [*TOPICS, *CONFIGS, *GROUPS, *TRANSACTIONS, *RECORDS, *CLUSTER]
