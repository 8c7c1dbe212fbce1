"""One target under atheris: `python -m tests.tailrace.broker.fuzz.fuzzer TARGET [options of libFuzzer] [corpus]`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.modules.setdefault("hypothesis", None)  # type: ignore[arg-type]  # kio would prepare strategies for it

WORLD_INPUTS_MAX = 2000
WORLD_TARGETS = ("stream", "request", "record_batch", "sasl", "group_blobs")
FILE_TARGETS = {"journal": "journal/", "checkpoint": "checkpoint", "log": ".log", "index": ".index"}
TARGET_NAMES = (*WORLD_TARGETS, *FILE_TARGETS)


def main() -> None:
    import atheris  # type: ignore[import-not-found, unused-ignore]

    with atheris.instrument_imports(include=["tailrace"]):
        from . import seeds, targets
        from .files import intact_files, recover_from
        from .world import World

    name, options = sys.argv[1], sys.argv[2:]
    corpus = Path(options[-1])
    for number, seed in enumerate(seeds.seeds(name)):
        (corpus / f"seed-{number}").write_bytes(seed)

    if name in FILE_TARGETS:
        file = next(file for file in sorted(intact_files(), reverse=True) if FILE_TARGETS[name] in file)

        def run(data: bytes) -> None:
            recover_from({**intact_files(), file: data})
    else:
        worlds: list[World] = []
        count = 0

        def run(data: bytes) -> None:
            nonlocal count
            if count % WORLD_INPUTS_MAX == 0:
                while worlds:
                    worlds.pop().__exit__(None, None, None)
                worlds.append(World().__enter__())
            count += 1
            targets.TARGETS[name](worlds[0], data)

    atheris.Setup([name, *options], run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
