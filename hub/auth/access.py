"""The access table: which roles may request each route. A route without a row is not served.

The key is the method (WS for a WebSocket) and the path as it is registered. `hub.web.door` checks this table at each
request. The hub does not start if a route is missing here.
"""

from enum import Enum
from typing import Final

from hub.auth.roles import STAFF, Role


class Anyone(Enum):
    """Not a role: everybody who can reach the hub, logged in or not."""

    ANYONE = "anyone"


ANYONE: Final = Anyone.ANYONE
Allowed = frozenset[Role] | Anyone

API = "/api/v1"
WS = "WS"

# An administrator may neither call visitors nor find them by name: somebody who does both jobs has both roles.
CALLERS = frozenset({Role.AGENT, Role.SUPERVISOR})
WELCOME = CALLERS | {Role.RECEPTION}
LOOKERS_ON = STAFF | {Role.INTRANET}

_OF_DESK: dict[str, Allowed] = {
    "sign-on": CALLERS,
    "sign-off": CALLERS,
    "next": CALLERS,
    "recall": CALLERS,
    "start": CALLERS,
    "withdraw": CALLERS,
    "absent": CALLERS,
    "finish": CALLERS,
    "park": CALLERS,
    "undo": CALLERS,
    "pause": CALLERS,
    "close": CALLERS,
    "open": CALLERS,
}
_OF_TICKET: dict[str, Allowed] = {
    "pick": CALLERS,
    "resume": CALLERS,
    "start": CALLERS,
    "reopen": CALLERS,
    "finish": CALLERS,
    "readmit": WELCOME,
    "check-in": WELCOME,
    "cancel": WELCOME,
    "transfer": WELCOME,
}
_COMMANDS: dict[tuple[str, str], Allowed] = {
    ("POST", f"{base}/desks/{{desk}}/{word}"): allowed
    for base in ("", API)
    for words in (_OF_DESK, {f"tickets/{{ticket}}/{word}": allowed for word, allowed in _OF_TICKET.items()})
    for word, allowed in words.items()
}

ACCESS: dict[tuple[str, str], Allowed] = {
    # The pages.
    ("GET", "/login"): ANYONE,
    ("POST", "/login"): ANYONE,
    ("POST", "/logout"): ANYONE,
    ("GET", "/static"): ANYONE,
    ("GET", "/"): STAFF,
    ("GET", "/desks/{desk}"): STAFF,
    (WS, "/desks/{desk}/live"): STAFF,
    ("GET", "/desks/{desk}/search"): WELCOME,
    ("POST", "/desks/{desk}/search"): WELCOME,
    ("POST", "/desks/{desk}/reports/{report}/retry"): CALLERS,
    # The API.
    ("GET", f"{API}/openapi.json"): LOOKERS_ON,
    ("GET", f"{API}/site"): LOOKERS_ON,
    ("GET", f"{API}/halls"): LOOKERS_ON,
    ("GET", f"{API}/desks"): LOOKERS_ON,
    ("GET", f"{API}/tickets/waiting"): LOOKERS_ON,
    ("GET", f"{API}/desks/{{desk}}"): STAFF,
    (WS, f"{API}/desks/{{desk}}/live"): STAFF,
    ("GET", f"{API}/tickets/{{ticket}}"): STAFF,
    ("POST", f"{API}/tickets"): WELCOME,
    ("GET", f"{API}/appointments"): STAFF,
    ("GET", f"{API}/appointments/reports"): STAFF,
    ("POST", f"{API}/appointments/reports/{{report}}/retry"): CALLERS,
    # Checked by its signature.
    ("POST", f"{API}/publik/push"): ANYONE,
    # For an operator's monitoring.
    ("GET", "/healthz"): ANYONE,
    ("GET", "/metrics"): frozenset({Role.METRICS, Role.ADMINISTRATOR}),
    **_COMMANDS,
}
