"""Rows about consumer groups."""

from ..requests import (
    commit_offset,
    delete_offsets,
    fetch_offsets,
    find_coordinator,
    join,
    leave,
    member,
    partitions_of,
)
from ..rows import COMPACTED, CONNECT_GROUP, EMPTY_GROUP, FRESH, GROUP, MEMBER_ID, PLAIN, rows, since, within

GROUPS = [
    *rows(
        "find_coordinator",
        {
            "group": find_coordinator(0, "g"),
            "transaction": find_coordinator(1, "t"),
            "no key": find_coordinator(0, ""),
            "no transactional id": find_coordinator(1, ""),
            "unknown type": since(1, find_coordinator(9, "g")),
            "share group": since(1, find_coordinator(2, "g:AAAAAAAAAAAAAAAAAAAAAQ:0")),
            "no keys": since(4, {"key_type": 0, "coordinator_keys": []}),
        },
    ),
    *rows(
        "describe_groups",
        {
            "unknown": {"groups": ["missing"]},
            "no name": {"groups": [""]},
            "stable": {"groups": [GROUP]},
            "other type": {"groups": [CONNECT_GROUP]},
            "offsets only": {"groups": [EMPTY_GROUP]},
            "named twice": {"groups": [GROUP, GROUP]},
            "authorized operations": since(3, {"groups": [GROUP], "include_authorized_operations": True}),
        },
    ),
    *rows(
        "list_groups",
        {
            "list groups": {},
            **{
                f"{states} {types}": since(5, {"states_filter": states, "types_filter": types})
                for states, types in (
                    (["Stable"], []),
                    (["stable", "EMPTY"], []),
                    (["Bored"], []),
                    ([""], []),
                    ([], ["classic"]),
                    ([], ["Classic"]),
                    ([], ["consumer"]),
                    ([], ["other"]),
                    ([], [""]),
                    (["Dead"], ["classic"]),
                )
            },
            "by state": within(4, 4, {"states_filter": ["Empty"]}),
        },
    ),
    *rows(
        "delete_groups",
        {
            "unknown": {"groups_names": ["missing"]},
            "no name": {"groups_names": [""]},
            "with members": {"groups_names": [GROUP]},
            "none": {"groups_names": []},
            "unknown twice": {"groups_names": ["missing", "missing"]},
        },
    ),
    *rows(
        "offset_delete",
        {
            "unknown group": delete_offsets("missing", PLAIN),
            "no group": delete_offsets("", PLAIN),
            "subscribed": delete_offsets(GROUP, PLAIN),
            "not subscribed": delete_offsets(GROUP, COMPACTED),
            "other type": delete_offsets(CONNECT_GROUP, PLAIN),
            "unknown topic": delete_offsets(EMPTY_GROUP, "missing"),
            "unknown partition": delete_offsets(EMPTY_GROUP, PLAIN, 9),
            "none there": delete_offsets(EMPTY_GROUP, COMPACTED),
        },
    ),
    *rows(
        "offset_commit",
        {
            "no group": commit_offset("", PLAIN),
            "unknown topic": commit_offset("{simple_group}", "missing"),
            "unknown partition": commit_offset("{simple_group}", PLAIN, 9),
            "negative offset": commit_offset("{simple_group}", PLAIN, offset=-5),
            "beyond the end": commit_offset("{simple_group}", PLAIN, offset=10**12),
            "long note": commit_offset("{simple_group}", PLAIN, note="n" * 4096),
            "too long a note": commit_offset("{simple_group}", PLAIN, note="n" * 4097),
            "too long in bytes": commit_offset("{simple_group}", PLAIN, note="ä" * 4096),
            "no topics": commit_offset("{simple_group}", "") | {"topics": []},
            "unknown group with a member": commit_offset(
                "missing", PLAIN, member_id="m", generation_id_or_member_epoch=1
            ),
            "unknown group with a generation": commit_offset("missing", PLAIN, generation_id_or_member_epoch=1),
            "unknown group with an instance": since(7, commit_offset("missing", PLAIN, group_instance_id="i")),
            "outsider": commit_offset(GROUP, PLAIN),
            "unknown member": commit_offset(GROUP, PLAIN, member_id="m", generation_id_or_member_epoch=1),
            "old generation": commit_offset(GROUP, PLAIN, member_id=MEMBER_ID, generation_id_or_member_epoch=0),
            "unknown instance": since(
                7,
                commit_offset(
                    GROUP, PLAIN, member_id=MEMBER_ID, generation_id_or_member_epoch=1, group_instance_id="i"
                ),
            ),
            "member": commit_offset(GROUP, COMPACTED, member_id=MEMBER_ID, generation_id_or_member_epoch=1),
            "empty group with a member": commit_offset(EMPTY_GROUP, PLAIN, member_id="m"),
        },
    ),
    *rows(
        "offset_fetch",
        {
            "unknown group": fetch_offsets("missing", [partitions_of(PLAIN, 0)]),
            "no group": fetch_offsets("", [partitions_of(PLAIN, 0)]),
            "known": fetch_offsets(EMPTY_GROUP, [partitions_of(PLAIN, 0, 1, 9)]),
            "unknown topic": fetch_offsets(EMPTY_GROUP, [partitions_of("missing", 0)]),
            "all": since(2, fetch_offsets(EMPTY_GROUP, None)),
            "all of an unknown group": since(2, fetch_offsets("missing", None)),
            "none": fetch_offsets(EMPTY_GROUP, []),
            "stable": since(7, fetch_offsets(EMPTY_GROUP, None, require_stable=True)),
            "unknown member": since(
                9, {"groups": [{"group_id": GROUP, "member_id": "m", "member_epoch": 1, "topics": None}]}
            ),
        },
    ),
    *rows(
        "join_group",
        {
            "no group": join(""),
            "session too short": join("new", session_timeout=1),
            "session too long": join("new", session_timeout=10**7),
            "unknown member": join("new", member_id="m"),
            "unknown member of a group": join(GROUP, member_id="m"),
            "no protocols": join("new", protocols=[]),
            "no protocol type": join("new", ""),
            "other protocol type": join(GROUP, "connect"),
            "other protocols": join(GROUP, protocols=[{"name": "other", "metadata": b""}]),
            "unknown instance with a member": since(5, join(GROUP, member_id=MEMBER_ID, group_instance_id="i")),
            "a member id is given first": since(4, join(FRESH)),
        },
    ),
    *(
        row
        for api in ("sync_group", "heartbeat")
        for row in rows(
            api,
            {
                "no group": member("", "m"),
                "unknown group": member("missing", "m"),
                "unknown member": member(GROUP, "m"),
                "no member": member(GROUP, ""),
                "old generation": member(GROUP, MEMBER_ID, 0),
                "generation to come": member(GROUP, MEMBER_ID, 2),
                "unknown instance": since(3, member(GROUP, MEMBER_ID, group_instance_id="i")),
                "member": member(GROUP, MEMBER_ID, protocol_type="consumer", protocol_name="range"),
            },
        )
    ),
    *rows(
        "sync_group",
        {
            "other protocol type": since(5, member(GROUP, MEMBER_ID, protocol_type="connect", protocol_name="range")),
            "other protocol": since(5, member(GROUP, MEMBER_ID, protocol_type="consumer", protocol_name="other")),
            "no protocol": since(5, member(GROUP, MEMBER_ID)),
        },
    ),
    *rows(
        "leave_group",
        {
            "no group": leave("", "m"),
            "unknown group": leave("missing", "m"),
            "unknown member": leave(GROUP, "m"),
            "no member": leave(GROUP, ""),
            "unknown instance": since(3, leave(GROUP, "", "i")),
            "member of an unknown instance": since(3, leave(GROUP, MEMBER_ID, "i")),
            "nobody": since(3, {"group_id": GROUP, "members": []}),
        },
    ),
]
