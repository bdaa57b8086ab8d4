"""What may go wrong between the hub and Publik, told apart, each in one sentence that names nobody."""

from enum import StrEnum

from hub.appointments.source import SourceAway, SourceRefuses
from hub.appointments.source_refusal import Why

DESCRIPTION_MOST = 200


class FaultKind(StrEnum):
    UNREACHED = "unreached"  # no connection
    TLS = "tls"  # one, but not with whom it should be
    TIMEOUT = "timeout"
    CUT = "cut"  # an answer that ended before its end, or none at all
    PAGE = "page"  # HTML, or anything that is no JSON
    REDIRECTED = "redirected"
    DENIED = "denied"  # 401, 403
    UNKNOWN = "unknown"  # 404
    INVALID = "invalid"  # 400 and its like
    SAYS_NO = "says no"  # err is not 0
    BROKEN = "broken"  # 500 and above, 429
    TOO_BIG = "too big"
    UNMET = "unmet"  # a trigger's condition
    ODD = "odd"  # JSON, but not what was asked for


# A pause mends these. A 403 too: w.c.s. asks Authentic at each call, and that one's outage looks like a wrong key.
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
# What was asked for may have been done, and its answer lost.
_PERHAPS_DONE = frozenset({FaultKind.TIMEOUT, FaultKind.CUT, FaultKind.PAGE, FaultKind.REDIRECTED, FaultKind.BROKEN})
# Nothing came back: whatever else is asked would fare no better.
SILENT = frozenset({FaultKind.UNREACHED, FaultKind.TLS, FaultKind.TIMEOUT})
_WHY = {
    FaultKind.UNMET: Why.UNMET,
    FaultKind.TOO_BIG: Why.ODD,
    FaultKind.ODD: Why.ODD,
}


class Fault(Exception):
    """`str()`: one sentence. `description`: what Publik itself said, for whoever looks after it; empty if nothing.

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
    """The same as a source of bookings tells it. `unknown`: what it means that Publik does not know what was asked."""
    if fault.kind in _AWAY:
        return SourceAway(str(fault), perhaps_done=fault.sent and fault.kind in _PERHAPS_DONE)
    why = unknown if fault.kind is FaultKind.UNKNOWN else _WHY.get(fault.kind, Why.SAYS_NO)
    return SourceRefuses(str(fault), why=why, said=fault.description)


def clean(text: object) -> str:
    """A description as it may stand in a log and on a page: one line, not too long."""
    line = "".join(sign if sign.isprintable() else " " for sign in str(text or ""))
    return " ".join(line.split())[:DESCRIPTION_MOST]
