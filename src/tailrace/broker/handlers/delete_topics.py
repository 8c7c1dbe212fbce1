"""DeleteTopics (API key 20), versions 1-6. Version 6 may name topics by id."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from kio.schema.errors import ErrorCode

from tailrace.broker.call import Call, Response
from tailrace.broker.events import TopicDeleted
from tailrace.broker.security.acls import Operation, ResourceType
from tailrace.broker.topics import Topic

if TYPE_CHECKING:
    from kio.schema.delete_topics.v6.request import DeleteTopicsRequest


def handle(request: DeleteTopicsRequest, call: Call) -> Response:
    """Delete topics with their records and the offsets that groups committed for them."""
    if call.api_version >= 6:
        wanted: list[tuple[str | None, Any]] = [(topic.name, topic.topic_id) for topic in request.topics]
    else:
        older: Any = request
        wanted = [(name, None) for name in older.topic_names]
    counts = Counter(wanted)
    found = {key: _find(*key, call) for key in wanted}
    times: Counter[Topic | None] = Counter(topic for topic in map(found.get, wanted) if topic is not None)
    return {
        "responses": [
            _delete(name, topic_id, topic, call, is_repeated=counts[name, topic_id] > 1 or times[topic] > 1)
            for (name, topic_id), topic in found.items()
        ]
    }


def _find(name: str | None, topic_id: Any, call: Call) -> Topic | None:
    topics = call.broker.state.topics
    if name is not None:
        return topics.by_name(name)
    return topics.by_id(topic_id.bytes) if topic_id else None


def _delete(name: str | None, topic_id: Any, topic: Topic | None, call: Call, *, is_repeated: bool) -> Response:
    if is_repeated or (name is None) == (topic_id is None):
        return _refused(name, topic_id, ErrorCode.invalid_request)
    wanted = name if topic is None else topic.name
    if wanted is not None and not call.allows(Operation.DESCRIBE, ResourceType.TOPIC, wanted):
        return _refused(name, topic_id, ErrorCode.topic_authorization_failed)  # who asks by id learns no name
    if topic is None:
        missing = ErrorCode.unknown_topic_id if name is None else ErrorCode.unknown_topic_or_partition
        return _refused(name, topic_id, missing)
    if not call.allows(Operation.DELETE, ResourceType.TOPIC, topic.name):
        return _refused(topic.name, topic_id, ErrorCode.topic_authorization_failed)
    call.broker.record(events=[TopicDeleted(topic.id)])
    call.broker.delete_files(topic)
    return {"name": topic.name, "topic_id": topic.uuid}


def _refused(name: str | None, topic_id: Any, error: ErrorCode) -> Response:
    return {"name": name, "topic_id": topic_id, "error_code": error}
