"""Which desk has to do with a ticket that none holds: commands refuse by it, and pages offer by it.

`IsAway` says of a desk by name whether it is paused, closed or no longer of the site.
"""

from collections.abc import Callable

from hub.queue.tickets import Ticket
from hub.site import Desk
from hub.site_index import SiteIndex, served_by

IsAway = Callable[[str], bool]


def may_call(desk: Desk, ticket: Ticket, is_away: IsAway) -> bool:
    """One that waits: for this desk, whatever its service; or of this desk's services, for none or one that is away."""
    if ticket.bound_desk == desk.name:
        return True
    return ticket.service in served_by(desk) and (ticket.bound_desk is None or is_away(ticket.bound_desk))


def may_go_on_with(index: SiteIndex, desk: Desk, ticket: Ticket, is_away: IsAway) -> bool:
    """Set aside by this desk, or by one that is away, of a service of this desk or of none any more."""
    if ticket.desk == desk.name:
        return True
    return (ticket.desk is None or is_away(ticket.desk)) and _is_served(index, desk, ticket)


def may_decide_on(index: SiteIndex, desk: Desk, ticket: Ticket) -> bool:
    """The desk serves or helps the ticket's service, or the ticket waits for it or was last there; or no desk does."""
    return desk.name in (ticket.bound_desk, ticket.desk) or _is_served(index, desk, ticket)


def _is_served(index: SiteIndex, desk: Desk, ticket: Ticket) -> bool:
    """By this desk; a service that the site has no more is no other desk's."""
    return ticket.service in served_by(desk) or index.find_service(ticket.service) is None
