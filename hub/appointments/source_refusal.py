"""Why a source refused for good, as stored with a report: for pages in any language, and for diagnosis."""

from enum import StrEnum

import msgspec
from msgspec import Struct


class Why(StrEnum):
    NO_STEP = "no_step"  # the request's status does not offer the step
    UNMET = "unmet"  # the status offers the step, but its condition is not met
    GONE = "gone"  # there is no such request, or no such booking
    ODD = "odd"  # an unusable answer
    SAYS_NO = "says_no"


class SourceRefusal(Struct, frozen=True):
    """`reason`: one English sentence, for logs and documents. `said`: the source's own words, empty if it gave none.

    Neither names a visitor.
    """

    why: Why
    reason: str
    said: str = ""


def written(refusal: SourceRefusal) -> str:
    return msgspec.json.encode(refusal).decode()


def read_refusal(text: str) -> SourceRefusal:
    """The refusal stored in a report. Also reads the plain sentence that an earlier version stored."""
    try:
        return msgspec.json.decode(text, type=SourceRefusal)
    except msgspec.DecodeError:
        return SourceRefusal(Why.SAYS_NO, text, text)
