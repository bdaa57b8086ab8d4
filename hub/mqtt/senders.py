"""Finds the sender of a message. Refused messages are counted, and logged unless there are too many."""

import structlog

from hub.metrics import BadReason, Metrics
from hub.rate import Rate
from hub.site import Node, Site
from protocol.link import Incoming, monotonic_ms
from protocol.messages import MAX_PAYLOAD_BYTES, BadMessage
from protocol.topics import Topics

log = structlog.get_logger(__name__)

# A node that sends only nonsense raises a counter, but does not fill the disk with log lines.
BAD_LINES_MOST, BAD_LINES_WITHIN_MS = 50, 10_000


class Senders:
    """The site's nodes, by their topics. Used by several threads."""

    def __init__(self, site: Site, topics: Topics, metrics: Metrics) -> None:
        self._topics = topics
        self._nodes = {node.name: node for node in site.nodes}
        self._metrics = metrics
        self._bad_lines = Rate(BAD_LINES_MOST, BAD_LINES_WITHIN_MS)

    def sender_of(self, event: Incoming) -> Node | None:
        """The node that sent the message; None, after refusing it, if it is no node of this site."""
        parsed = self._topics.parse_node(event.topic)
        if parsed is None:
            wrong = BadReason.WRONG_TOPIC if event.topic.startswith(self._topics.root) else BadReason.WRONG_SITE
            self.refuse(wrong, event.topic, "no topic of a node of this site")
            return None
        node = self._nodes.get(parsed[0])
        if node is None:
            self.refuse(BadReason.UNKNOWN_NODE, event.topic, "the site file has no such node")
        return node

    def refuse_unread(self, event: Incoming, error: BadMessage) -> None:
        self.refuse(_reason(event.payload, error), event.topic, str(error))

    def refuse(self, reason: BadReason, topic: str, why: str) -> None:
        self._metrics.bad_message(reason)
        if self._bad_lines.allows(monotonic_ms()):
            log.warning("message.refused", reason=reason, topic=topic[:200], why=why[:200])


def _reason(payload: bytes, error: BadMessage) -> BadReason:
    if len(payload) > MAX_PAYLOAD_BYTES:
        return BadReason.OVERSIZED
    return BadReason.OTHER_VERSION if "`$.v`" in str(error) else BadReason.MALFORMED
