"""Types of the path parameters, and their look-up."""

from typing import Annotated

from fastapi import Path

from hub.site import Desk
from hub.site_index import SiteIndex
from hub.web.documents import NAME
from hub.web.problems import NoSuch

DeskName = Annotated[str, Path(pattern=NAME, examples=["guichet-3"])]
TicketId = Annotated[int, Path(ge=1, le=2**53, examples=[17])]
ReportId = Annotated[int, Path(ge=1, le=2**53, examples=[12])]


def desk_named(index: SiteIndex, name: str) -> Desk:
    """Return the site's desk of this name. Raises NoSuch."""
    desk = index.find_desk(name)
    if desk is None:
        raise NoSuch("desk", name)
    return desk
