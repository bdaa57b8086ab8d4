"""Why a source refused for good: as a report keeps it, for a page in any language and for whoever looks into it."""

from enum import StrEnum

import msgspec
from msgspec import Struct


class Why(StrEnum):
    NO_STEP = "no_step"  # the state that the request is in does not offer it
    UNMET = "unmet"  # it does, on a condition
    GONE = "gone"  # there is no such request, or no such booking
    ODD = "odd"  # an answer that is none
    SAYS_NO = "says_no"


class SourceRefusal(Struct, frozen=True):
    """`reason`: one English sentence, for logs and documents. `said`: the source's own words, empty where it has none.

    Neither names a visitor.
    """

    why: Why
    reason: str
    said: str = ""


def written(refusal: SourceRefusal) -> str:
    return msgspec.json.encode(refusal).decode()


def read_refusal(text: str) -> SourceRefusal:
    """What stands in a report; a sentence of an earlier version too."""
    try:
        return msgspec.json.decode(text, type=SourceRefusal)
    except msgspec.DecodeError:
        return SourceRefusal(Why.SAYS_NO, text, text)
