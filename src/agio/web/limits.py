"""How often one may ask: generous to people, short of what an attack needs. Kept in memory, per instance."""

import math
import time

from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from agio.web.errors import Code, Refusal

SIGN_UPS_PER_IP = RateLimitItemPerMinute(60, namespace="sign-up")
LOGINS_PER_IP = RateLimitItemPerMinute(60, namespace="login-ip")
LOGINS_PER_USERNAME = RateLimitItemPerMinute(10, namespace="login-username")
TRANSACTIONS_PER_ACCOUNT = RateLimitItemPerSecond(100, namespace="transaction")

Limit = RateLimitItemPerMinute | RateLimitItemPerSecond


class Limits:
    """Counts what was asked in the current second or minute."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def take(self, limit: Limit, who: str) -> None:
        """Count a request. Raises Refusal when there were too many in this window."""
        if self._limiter.hit(limit, who):
            return
        retry_after_s = max(1, math.ceil(self._limiter.get_window_stats(limit, who).reset_time - time.time()))
        raise Refusal(Code.TOO_MANY_REQUESTS, "too many requests", {"Retry-After": str(retry_after_s)})
