"""Answers of Publik: the body is read as JSON at any status, then checked by `err` and the status."""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from hub.publik.faults import Fault, FaultKind, clean

# The only fault recognized by its text: waiting does not help here, but may help with every other 403 of w.c.s.
UNMET: Final = "Unmet condition"
_NO_JSON: Final = object()


@dataclass(frozen=True, slots=True)
class Answer:
    """`place`: the URL without the query. `date_ms`: Publik's clock at the time of the answer, None if not given.

    `as_of_ms`: the answer contains every change before this time, by Publik's clock or the hub's, whichever is behind.
    """

    place: str
    status: int
    body: bytes
    as_of_ms: int
    date_ms: int | None = None
    location: str = ""


def document(answer: Answer) -> dict[str, Any]:
    """Return the JSON object of a success. Raises Fault for anything else."""
    value = _judged(answer)
    if not isinstance(value, dict):
        raise Fault(FaultKind.ODD, f"{answer.place} did not answer with a JSON object", status=answer.status)
    return value


def entries(answer: Answer) -> list[Any]:
    """Return a bare list, or the list in `data` of an envelope. Raises Fault."""
    value = _judged(answer)
    if isinstance(value, dict):
        value = value.get("data")
    if not isinstance(value, list):
        raise Fault(FaultKind.ODD, f"{answer.place} did not answer with a list", status=answer.status)
    return value


def says_no(said: dict[str, Any]) -> bool:
    """Whether the envelope reports an error. Without `err` it reports none."""
    err = said.get("err")
    return err is not None and err != 0


def _judged(answer: Answer) -> Any:
    said = _json(answer.body)
    description = _description(said)
    if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        raise _by_status(answer, description, is_json=said is not _NO_JSON)
    if said is _NO_JSON:
        raise _no_json(answer)
    if isinstance(said, dict) and says_no(said):
        raise Fault(FaultKind.SAYS_NO, f"{answer.place} says no", status=answer.status, description=description)
    return said


def _by_status(answer: Answer, description: str, *, is_json: bool) -> Fault:
    status = answer.status
    said = f"{answer.place} answered HTTP {status}"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        host = _host(answer.location) or "another page"
        sentence = (
            f"{said}, a redirection to {clean(host)}: if it persists, put the address that it leads to in the site file"
        )
        return Fault(FaultKind.REDIRECTED, sentence, status=status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return Fault(FaultKind.BROKEN, said, status=status, description=description)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        kind = FaultKind.UNMET if description.startswith(UNMET) else FaultKind.DENIED
        return Fault(kind, f"{said}, access denied", status=status, description=description)
    if not is_json:
        return Fault(
            FaultKind.PAGE, f"{said} with a page instead of JSON: check the address in the site file", status=status
        )
    if status == HTTPStatus.NOT_FOUND:
        return Fault(FaultKind.UNKNOWN, f"{said}, not known there", status=status, description=description)
    return Fault(FaultKind.INVALID, said, status=status, description=description)


def _host(address: str) -> str | None:
    """The host, without a user name and password in front of it."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _no_json(answer: Answer) -> Fault:
    said = f"{answer.place} answered HTTP {answer.status}"
    if answer.body.lstrip()[:1] == b"<":
        advice = "check the address in the site file, and whether Publik is under maintenance"
        sentence = f"{said} with a page instead of JSON: {advice}"
        return Fault(FaultKind.PAGE, sentence, status=answer.status)
    return Fault(FaultKind.CUT, f"{said} with JSON that is invalid or cut short", status=answer.status)


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _python_json(body)


def _python_json(body: bytes) -> Any:
    """Parse the invalid JSON that Python writes and reads: NaN and lone surrogates.

    w.c.s. stores such answers of other programs, and a single one would make its form's whole list unreadable.
    """
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):
        return _NO_JSON


def _description(said: Any) -> str:
    if not isinstance(said, dict):
        return ""
    return clean(said.get("err_desc") or said.get("err_class"))
