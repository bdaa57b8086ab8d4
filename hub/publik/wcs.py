"""The API of w.c.s.: a form's list of requests, single requests, and the actions on them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hub.publik.answers import Answer, document, entries
from hub.publik.client import Client
from hub.publik.faults import Fault, FaultKind
from hub.publik.paths import text_at

# Requests per page, so that w.c.s. answers in seconds. Each page starts with the last OVERLAP ones of the page before.
PAGE = 500
OVERLAP = 10
# 196,000 requests of one form, if w.c.s. returns as many as it is asked for.
PAGES_MOST = 400
# Otherwise a single request comes with its files, its citizen's account and its history.
_WITHOUT = tuple((f"include-{part}", "off") for part in ("files-content", "user", "evolution", "roles", "submission"))


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a form's requests. `linked`: it overlaps the page before, so that nothing is missing between them."""

    entries: list[dict[str, Any]]
    as_of_ms: int
    linked: bool = True


class Wcs:
    """A client of w.c.s. Each call may raise Fault."""

    def __init__(self, client: Client, page: int = PAGE) -> None:
        self._client = client
        self._page = page

    def pages(self, form: str, since: str | None = None) -> Iterator[Page]:
        """Yield all of a form's requests except drafts; with `since`, those changed from that local minute on.

        A short page does not mean the end, since w.c.s. may cap `limit`: pages are read until one brings nothing new.
        Positions shift while people send and delete requests. A page that does not overlap the one before is not
        `linked`; the pages after the gap are still read.
        """
        offset, overlap, length = 0, 0, 0
        seen, tail = set[str](), frozenset[str]()
        for number in range(PAGES_MOST):
            answer = self._list(form, since, self._page, offset)
            found = _requests(answer)
            ids = [request_id(each) or "" for each in found]
            fresh = [each for each, id_ in zip(found, ids, strict=True) if id_ not in seen]
            # The last page holds only the overlap. If it is as long as the page before, it may be that page again.
            met = not tail.isdisjoint(ids) if fresh else len(found) < length and (bool(found) or not overlap)
            yield Page(fresh, answer.as_of_ms, linked=number == 0 or met)
            if not fresh:
                return
            overlap, length = min(OVERLAP, len(found) // 2), len(found)
            offset += length - overlap
            seen.update(ids)
            seen.discard("")
            tail = frozenset(ids[length - overlap :]) - {""}
        yield Page([], answer.as_of_ms, linked=False)

    def sample(self, form: str, count: int, since: str | None = None) -> Answer:
        """Return the answer with the first few requests of a list, also if it is an error."""
        return self._list(form, since, count, 0)

    def request(self, form: str, id_: str) -> dict[str, Any]:
        """Return one request with all its fields. Raises Fault, of kind UNKNOWN if it is gone."""
        return document(self._client.get(f"/api/forms/{quote(form)}/{quote(id_)}/", _WITHOUT))

    def jump(self, form: str, id_: str, trigger: str) -> None:
        """Trigger a jump of the request's status. Not idempotent: the next status may have a jump of the same name."""
        self._tell(f"/{quote(form)}/{quote(id_)}/jump/trigger/{quote(trigger)}/")

    def act(self, form: str, id_: str, action: str) -> None:
        """Trigger a global action, which every status offers."""
        self._tell(f"/api/forms/{quote(form)}/{quote(id_)}/hooks/{quote(action)}/")

    def _tell(self, path: str) -> None:
        document(self._client.send("POST", path))

    def _list(self, form: str, since: str | None, limit: int, offset: int) -> Answer:
        changed = [("filter-start-mtime", "on"), ("filter-start-mtime-value", since)] if since else []
        query = [("filter", "all"), ("full", "on"), *changed, ("offset", str(offset)), ("limit", str(limit))]
        return self._client.get(f"/api/forms/{quote(form)}/list", query)


def _requests(answer: Answer) -> list[dict[str, Any]]:
    found = entries(answer)
    # If such entries were skipped, their requests would seem to be gone.
    if not all(isinstance(each, dict) for each in found):
        raise Fault(FaultKind.ODD, f"{answer.place} answered with a list of something other than requests")
    return found


def request_id(entry: dict[str, Any]) -> str | None:
    """Return `12`, whether written so or as `form/12`. `id` may be a custom text; then `internal_id` counts."""
    for key in ("id", "internal_id"):
        text = (text_at(entry, key) or "").rpartition("/")[2]
        if text.isascii() and text.isdigit():
            return text
    return None


def status_of(entry: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return id and name of a request's status, None for a draft. `status` is only what the citizen is shown."""
    place = next((each for each in ("real_status", "status") if text_at(entry, f"workflow.{each}.id")), "status")
    return text_at(entry, f"workflow.{place}.id"), text_at(entry, f"workflow.{place}.name")
