"""Every MQTT topic, built and parsed in one place.

All topics begin with `suivant/1/{site}/`; the 1 is the version of the contract.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

ROOT = "suivant/1"

# A name of a site, hall, desk, service or node. It is also safe in a topic, a file name, a URL and an ACL pattern.
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


class NodeTopic(StrEnum):
    """The topics of one node, under `node/{node}/`."""

    STATUS = "status"
    TELEMETRY = "telemetry"
    REQUEST = "request"
    REPLY = "reply"
    CONFIG = "config"
    COMMAND = "command"
    ECHO = "echo"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one site."""

    site: str

    @property
    def root(self) -> str:
        return f"{ROOT}/{self.site}"

    @property
    def hub_status(self) -> str:
        return f"{self.root}/hub/status"

    @property
    def hub_beat(self) -> str:
        return f"{self.root}/hub/beat"

    @property
    def hub_echo(self) -> str:
        """The hub's own echo through the broker; no node reads it."""
        return f"{self.root}/hub/echo"

    def node(self, node: str, topic: NodeTopic) -> str:
        return f"{self.root}/node/{node}/{topic}"

    def every_node(self, topic: NodeTopic) -> str:
        """The filter for this topic of every node of the site."""
        return f"{self.root}/node/+/{topic}"

    def desk_state(self, desk: str) -> str:
        return f"{self.root}/desk/{desk}/state"

    @property
    def every_desk_state(self) -> str:
        """The filter for the states of all desks of the site, including desks that no longer exist."""
        return self.desk_state("+")

    def hall_state(self, hall: str) -> str:
        return f"{self.root}/hall/{hall}/state"

    @property
    def every_hall_state(self) -> str:
        """The filter for the states of all halls of the site, including halls that no longer exist."""
        return self.hall_state("+")

    def hall_announce(self, hall: str) -> str:
        return f"{self.root}/hall/{hall}/announce"

    def parse_node(self, topic: str) -> tuple[str, NodeTopic] | None:
        """The node and its topic, or None if this is not a topic of a node of this site."""
        prefix = f"{self.root}/node/"
        if not topic.startswith(prefix):
            return None
        node, slash, rest = topic[len(prefix) :].partition("/")
        if not slash or not NAME.fullmatch(node):
            return None
        try:
            return node, NodeTopic(rest)
        except ValueError:
            return None
