"""Who asks, as the door found it, and what that makes of their commands."""

import re

from starlette.requests import Request

from hub.auth.people import Person
from hub.auth.sessions import Session
from hub.queue.requests import Origin, Source
from hub.web.actions import Action

CLICKED_AT = "suivant-clicked-at"
_MOMENT = re.compile(r"\d{1,15}", re.ASCII)


def person_of(request: Request) -> Person:
    """Of a route that the table opens to people alone."""
    session: Session = request.state.session
    return session.person


def origin_of(request: Request, source: Source, request_id: str, action: Action | None = None) -> Origin:
    """`action`: what is done at a desk, by who is signed on there; None for what is done at none."""
    person = person_of(request)
    is_free = action is None or bool(action.without_sign_on & person.roles)
    return Origin(source, person.account, request_id, signed_on=not is_free, at_ms=_moment_of_click(request))


def _moment_of_click(request: Request) -> int | None:
    """By the page's reckoning of the hub's clock, in ms since 1970; None of a form without script, or of a program."""
    said = request.headers.get(CLICKED_AT, "")
    return int(said) if _MOMENT.fullmatch(said) else None
