"""Rows about the broker itself."""

from ..rows import UNTOUCHED, rows, since

CLUSTER = [
    *rows(
        "api_versions",
        {
            "versions": {"client_software_name": "a", "client_software_version": "1"},
            **{
                f"software {name!r} {version!r}": since(
                    3, {"client_software_name": name, "client_software_version": version}
                )
                for name, version in (("", ""), ("my client", "1"), ("-a", "1"), ("a", "1.0-b"))
            },
        },
    ),
    *rows(
        "describe_cluster",
        {
            "cluster": {},
            **{f"endpoint type {kind}": since(1, {"endpoint_type": kind}) for kind in (1, 2, 3)},
            "authorized operations": {"include_cluster_authorized_operations": True},
        },
    ),
    *rows(
        "describe_log_dirs",
        {
            "unknown topic": {"topics": [{"topic": "missing", "partitions": [0]}]},
            "a partition": {"topics": [{"topic": UNTOUCHED, "partitions": [0]}]},
            "no topics": {"topics": []},
        },
    ),
]
