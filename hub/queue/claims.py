"""Which desk may act on a ticket that no desk holds. Commands refuse by these rules, and pages offer by them.

`IsAway` tells whether the desk with this name is paused, closed or no longer at the site.
"""

from collections.abc import Callable

from hub.queue.tickets import Ticket
from hub.site import Desk
from hub.site_index import SiteIndex, served_by

IsAway = Callable[[str], bool]


def may_call(desk: Desk, ticket: Ticket, is_away: IsAway) -> bool:
    """Whether the desk may call a waiting ticket.

    It may if the ticket is bound to it, or is of one of its services and bound to no desk or to one that is away.
    """
    if ticket.bound_desk == desk.name:
        return True
    return ticket.service in served_by(desk) and (ticket.bound_desk is None or is_away(ticket.bound_desk))


def may_go_on_with(index: SiteIndex, desk: Desk, ticket: Ticket, is_away: IsAway) -> bool:
    """Whether the desk may go on with a parked ticket.

    It may if it parked the ticket itself, or if the desk that did is away and this one may serve the ticket's service.
    """
    if ticket.desk == desk.name:
        return True
    return (ticket.desk is None or is_away(ticket.desk)) and _is_served(index, desk, ticket)


def may_decide_on(index: SiteIndex, desk: Desk, ticket: Ticket) -> bool:
    """Whether the desk may decide on a ticket that is neither held nor parked.

    It may if the ticket is bound to it or was last there, or if it may serve the ticket's service.
    """
    return desk.name in (ticket.bound_desk, ticket.desk) or _is_served(index, desk, ticket)


def _is_served(index: SiteIndex, desk: Desk, ticket: Ticket) -> bool:
    """Whether the desk serves the ticket's service or helps it out; any desk does if the site no longer has it."""
    return ticket.service in served_by(desk) or index.find_service(ticket.service) is None
