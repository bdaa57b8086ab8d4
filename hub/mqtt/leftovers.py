"""Retained messages of earlier runs of the hub, about desks, halls and nodes that the site no longer has."""

from hub.site import Site
from protocol.link import Incoming
from protocol.topics import NodeTopic, Topics


class Leftovers:
    """Recognises leftovers. `filters`: subscriptions that cover every topic on which a hub of this site retains."""

    def __init__(self, site: Site, topics: Topics) -> None:
        self.filters = (topics.every_desk_state, topics.every_hall_state, topics.every_node(NodeTopic.CONFIG))
        self._around = [each.split("+") for each in self.filters]
        self._ours = frozenset(
            [
                *(topics.desk_state(desk.name) for desk in site.desks),
                *(topics.hall_state(hall.name) for hall in site.halls),
                *(topics.node(node.name, NodeTopic.CONFIG) for node in site.nodes),
            ]
        )

    def retains(self, topic: str) -> bool:
        """Whether a hub of this site, whatever its site file, retains something on the topic."""
        return any(topic.startswith(before) and topic.endswith(after) for before, after in self._around)

    def is_left(self, event: Incoming) -> bool:
        """Whether a message on such a topic is a leftover: retained, not cleared, and of no part of this site.

        A message published just now comes without the retain flag.
        """
        return event.retained and bool(event.payload) and event.topic not in self._ours
