"""How much random testing is done: a sample in `make test`, all of it in `make soak` (SOAK=1); SEED=n repeats a run."""

import os
from random import Random

SOAK = "SOAK" in os.environ
SEED = int(os.environ.get("SEED", "0")) or Random().randrange(1, 1 << 31)
# The same in all processes that share the tests among them.
os.environ["SEED"] = str(SEED)
