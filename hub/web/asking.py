"""The sender of a request, as the door found it, and the origin of their commands."""

import re

from starlette.requests import Request

from hub.auth.people import Person
from hub.auth.sessions import Session
from hub.queue.requests import Origin, Source
from hub.web.actions import Action

CLICKED_AT = "suivant-clicked-at"
_MOMENT = re.compile(r"\d{1,15}", re.ASCII)


def person_of(request: Request) -> Person:
    """Return who sent the request. Only for routes that the access table opens to people alone, not to programs."""
    session: Session = request.state.session
    return session.person


def origin_of(request: Request, source: Source, request_id: str, action: Action | None = None) -> Origin:
    """Return the origin of a command.

    `action`: the action at a desk, which the sender must be signed on at unless the action says otherwise for their
    role; None for a command that is not about a desk.
    """
    person = person_of(request)
    is_free = action is None or bool(action.without_sign_on & person.roles)
    return Origin(source, person.account, request_id, signed_on=not is_free, at_ms=_moment_of_click(request))


def _moment_of_click(request: Request) -> int | None:
    """The moment of the click, in ms since 1970, on the hub's clock as the page estimates it.

    None for a form sent without script, and for a program.
    """
    said = request.headers.get(CLICKED_AT, "")
    return int(said) if _MOMENT.fullmatch(said) else None
