"""Who runs on a data directory."""

from pathlib import Path

LOCKS = Path("/proc/locks")


def owner_of(root: Path) -> int | None:
    """Process id of the broker that owns the directory; None when none does, or when the system does not tell.

    The lock is looked up, not tried: a broker that starts at that moment would find it taken.
    """
    try:
        inode = (root / ".lock").stat().st_ino
        locks = LOCKS.read_text()
    except OSError:
        return None
    for line in locks.splitlines():
        # 1: FLOCK  ADVISORY  WRITE 4711 08:01:131079 0 EOF
        fields = line.split()
        if "FLOCK" in fields and fields[-3].rpartition(":")[2] == str(inode):
            return int(fields[-4])
    return None
