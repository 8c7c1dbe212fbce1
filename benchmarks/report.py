"""Results of benchmarks: rows of job, system, metric, value and unit, as a table and as JSON."""

import json
import math
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results")


def quick() -> bool:
    """Whether QUICK=1 asks for a short run."""
    return os.environ.get("QUICK", "") not in ("", "0")


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(math.ceil(share * len(ordered)), len(ordered)) - 1]


@dataclass(frozen=True)
class Row:
    """One number: of a job such as `throughput`, on a system such as `embedded broker`."""

    job: str
    system: str
    metric: str
    value: float
    unit: str


@dataclass
class Report:
    """The rows of one benchmark; `name` becomes the name of the file. Make it before anything is started."""

    name: str
    rows: list[Row] = field(default_factory=list)
    machine: dict[str, object] = field(default_factory=lambda: machine())

    def add(self, job: str, system: str, metric: str, value: float, unit: str) -> None:
        """Add a number and say it at once: benchmarks take long."""
        self.rows.append(Row(job, system, metric, value, unit))
        print(f"{system}: {job}: {metric} {value:,.6g} {unit}", flush=True)

    @contextmanager
    def stolen(self, job: str, system: str) -> Iterator[None]:
        """Add how much of the processors' time a virtual machine's host gave to others meanwhile."""
        before = psutil.cpu_times()
        yield
        after = psutil.cpu_times()
        share = (getattr(after, "steal", 0) - getattr(before, "steal", 0)) / (sum(after) - sum(before))
        self.add(job, system, "stolen", round(100 * share, 1), "% of CPU")

    def finish(self) -> None:
        """Print the table, systems side by side, and write the file."""
        Console(highlight=False, width=120).print(self._table())
        RESULTS.mkdir(exist_ok=True)
        file = RESULTS / f"{self.name}.json"
        content = {"machine": self.machine, "quick": quick(), "rows": [asdict(row) for row in self.rows]}
        file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        print(f"written to benchmarks/results/{file.name}")

    def _table(self) -> Table:
        systems = list(dict.fromkeys(row.system for row in self.rows))
        values = {(row.job, row.metric, row.unit, row.system): row.value for row in self.rows}
        table = Table(box=None, pad_edge=False)
        for heading in ("job", "metric", "unit"):
            table.add_column(heading)
        for system in systems:
            table.add_column(system, justify="right")
        for job, metric, unit in dict.fromkeys((row.job, row.metric, row.unit) for row in self.rows):
            found = [values.get((job, metric, unit, system)) for system in systems]
            table.add_row(job, metric, unit, *("–" if value is None else f"{value:,.6g}" for value in found))
        return table


def machine() -> dict[str, object]:
    """What the numbers are measured on, and how busy it is already."""
    return {
        "cpu": _cpu_model(),
        "cpus": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load_average_before": round(os.getloadavg()[0], 2),
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
