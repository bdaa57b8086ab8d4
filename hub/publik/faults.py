"""The faults between the hub and Publik, by kind, each with one sentence that names nobody."""

from enum import StrEnum

from hub.appointments.source import SourceAway, SourceRefuses
from hub.appointments.source_refusal import Why

DESCRIPTION_MOST = 200


class FaultKind(StrEnum):
    UNREACHED = "unreached"  # no connection
    TLS = "tls"  # no trusted certificate, or no TLS
    TIMEOUT = "timeout"
    CUT = "cut"  # no answer, or one that is incomplete or can't be read
    PAGE = "page"  # an HTML page, or anything else that is not JSON
    REDIRECTED = "redirected"
    DENIED = "denied"  # 401, 403
    UNKNOWN = "unknown"  # 404
    INVALID = "invalid"  # 400 and other 4xx
    SAYS_NO = "says no"  # err is not 0
    BROKEN = "broken"  # 500 and above, 429
    TOO_BIG = "too big"
    UNMET = "unmet"  # a trigger's condition
    ODD = "odd"  # JSON of another kind than expected


# Worth a retry later. A 403 too: w.c.s. asks Authentic at each call, and an outage there looks like a wrong key.
_AWAY = frozenset({
    FaultKind.UNREACHED,
    FaultKind.TLS,
    FaultKind.TIMEOUT,
    FaultKind.CUT,
    FaultKind.PAGE,
    FaultKind.REDIRECTED,
    FaultKind.DENIED,
    FaultKind.BROKEN,
})  # fmt: skip
# The request may have been carried out and only its answer lost.
_PERHAPS_DONE = frozenset({FaultKind.TIMEOUT, FaultKind.CUT, FaultKind.PAGE, FaultKind.REDIRECTED, FaultKind.BROKEN})
# No answer at all: other requests would fail in the same way.
SILENT = frozenset({FaultKind.UNREACHED, FaultKind.TLS, FaultKind.TIMEOUT})
_WHY = {
    FaultKind.UNMET: Why.UNMET,
    FaultKind.TOO_BIG: Why.ODD,
    FaultKind.ODD: Why.ODD,
}


class Fault(Exception):
    """`str()`: one sentence. `description`: Publik's own words, for its administrator; empty if none.

    `sent`: whether the request may have reached Publik.
    """

    def __init__(
        self, kind: FaultKind, sentence: str, *, status: int = 0, description: str = "", sent: bool = True
    ) -> None:
        super().__init__(f"{sentence}: {description}" if description else sentence)
        self.kind = kind
        self.status = status
        self.description = description
        self.sent = sent


def for_source(fault: Fault, unknown: Why = Why.SAYS_NO) -> SourceAway | SourceRefuses:
    """Convert a fault to an error of a source of bookings. `unknown`: what a fault of kind UNKNOWN means here."""
    if fault.kind in _AWAY:
        return SourceAway(str(fault), perhaps_done=fault.sent and fault.kind in _PERHAPS_DONE)
    why = unknown if fault.kind is FaultKind.UNKNOWN else _WHY.get(fault.kind, Why.SAYS_NO)
    return SourceRefuses(str(fault), why=why, said=fault.description)


def clean(text: object) -> str:
    """Make a text fit for a log and a page: one line, at most DESCRIPTION_MOST characters."""
    line = "".join(sign if sign.isprintable() else " " for sign in str(text or ""))
    return " ".join(line.split())[:DESCRIPTION_MOST]
