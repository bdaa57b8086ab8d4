"""What earlier runs of the hub left at the broker of desks, halls and nodes that the site file has no more."""

from hub.site import Site
from protocol.link import Incoming
from protocol.topics import NodeTopic, Topics


class Leftovers:
    """Tells them from what this site has. `filters` take from the broker all that a hub of this site retains."""

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
        """Whether it is a topic on which a hub of this site, whatever its site file, retains something."""
        return any(topic.startswith(before) and topic.endswith(after) for before, after in self._around)

    def is_left(self, event: Incoming) -> bool:
        """Of one on such a topic. Not where it was said just now, or is taken back already."""
        return event.retained and bool(event.payload) and event.topic not in self._ours
