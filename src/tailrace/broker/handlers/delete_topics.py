"""DeleteTopics (API key 20), versions 1-6. Version 6 may name topics by id."""

from __future__ import annotations

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
        return {"responses": [_delete(wanted.name, wanted.topic_id, call) for wanted in request.topics]}
    older: Any = request
    return {"responses": [_delete(name, None, call) for name in older.topic_names]}


def _delete(name: str | None, topic_id: Any, call: Call) -> Response:
    topics = call.broker.state.topics
    topic: Topic | None
    if name is None:
        topic = topics.by_id(topic_id.bytes) if topic_id else None
        missing = ErrorCode.unknown_topic_id
    else:
        topic = topics.by_name(name)
        missing = ErrorCode.unknown_topic_or_partition
    wanted = name if topic is None else topic.name
    if wanted is not None and not call.allows(Operation.DELETE, ResourceType.TOPIC, wanted):
        # Who asks by id does not know the name, and learns it only if they may.
        is_known = name is not None or call.allows(Operation.DESCRIBE, ResourceType.TOPIC, wanted)
        refused = {"topic_id": topic_id, "error_code": ErrorCode.topic_authorization_failed}
        return refused | {"name": wanted if is_known else None}
    if topic is None:
        return {"name": name, "topic_id": topic_id, "error_code": missing}
    call.broker.record(events=[TopicDeleted(topic.id)])
    call.broker.delete_files(topic)
    return {"name": topic.name, "topic_id": topic.uuid}
