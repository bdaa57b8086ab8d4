"""The configuration message of a node."""

from hub.site import Node
from hub.site_index import SiteIndex
from protocol import messages as wire
from protocol.messages import Role


def node_config(index: SiteIndex, node: Node, revision: wire.Revision) -> wire.NodeConfig:
    """A node's configuration, by its role. `revision` must be greater than that of the last one it was sent."""
    site = index.site
    match node.role:
        case Role.DESK_BUTTON:
            return wire.DeskButtonConfig(
                revision=revision, desk=node.desk or "", button_pin=node.button_pin, led_pin=node.led_pin
            )
        case Role.DISPLAY:
            return wire.DisplayConfig(
                revision=revision,
                hall=node.hall or "",
                town=site.town,
                diagonal_in=node.diagonal_in,
                farthest_m=node.farthest_m,
                # The letters of all halls: a transferred ticket keeps its letter.
                letters="".join(service.letter for service in site.services),
            )
        case Role.TICKET_PRINTER:
            buttons = tuple(
                wire.ServiceButton(
                    service=name, letter=index.service(name).letter, name=index.service(name).title, pin=pin
                )
                for name, pin in node.pins.items()
            )
            return wire.TicketPrinterConfig(
                revision=revision, town=site.town, zone=site.zone, buttons=buttons, follow_url=site.follow_url
            )
