"""w.c.s.: lists of a form's requests, one request, and what is told of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hub.publik.answers import Answer, document, entries
from hub.publik.client import Client
from hub.publik.faults import Fault, FaultKind
from hub.publik.paths import text_at

# So many at once, so that w.c.s. answers in seconds; each page begins with the end of the one before it.
PAGE = 500
OVERLAP = 10
# 196,000 requests of one form, where w.c.s. gives as many as it is asked for.
PAGES_MOST = 400
# A single request would come with its files, its citizen's account and its history.
_WITHOUT = tuple((f"include-{part}", "off") for part in ("files-content", "user", "evolution", "roles", "submission"))


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a form's requests. `linked`: it follows the one before it, so that nothing is missing between them."""

    entries: list[dict[str, Any]]
    as_of_ms: int
    linked: bool = True


class Wcs:
    """Each call raises Fault."""

    def __init__(self, client: Client, page: int = PAGE) -> None:
        self._client = client
        self._page = page

    def pages(self, form: str, since: str | None = None) -> Iterator[Page]:
        """All of a form's requests, drafts apart; `since`: what changed from that local minute on.

        A short page proves no end, for w.c.s. may cap `limit`: asked is on until a page brings nothing new. While
        people send and delete requests, places in the list shift: a page that does not meet the one before it is not
        `linked`, and what stands behind the gap is read all the same.
        """
        offset, overlap, length = 0, 0, 0
        seen, tail = set[str](), frozenset[str]()
        for number in range(PAGES_MOST):
            answer = self._list(form, since, self._page, offset)
            found = _requests(answer)
            ids = [request_id(each) or "" for each in found]
            fresh = [each for each, id_ in zip(found, ids, strict=True) if id_ not in seen]
            # The last page is what was asked for twice alone; one as long as that before it may be the same one again.
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
        """The first few of a list, answered well or not."""
        return self._list(form, since, count, 0)

    def request(self, form: str, id_: str) -> dict[str, Any]:
        """One request with all its fields; a Fault of kind UNKNOWN where it is gone."""
        return document(self._client.get(f"/api/forms/{quote(form)}/{quote(id_)}/", _WITHOUT))

    def jump(self, form: str, id_: str, trigger: str) -> None:
        """A jump that the request's status offers. Not idempotent: the next status may have one of the same name."""
        self._tell(f"/{quote(form)}/{quote(id_)}/jump/trigger/{quote(trigger)}/")

    def act(self, form: str, id_: str, action: str) -> None:
        """A global action, which any status offers."""
        self._tell(f"/api/forms/{quote(form)}/{quote(id_)}/hooks/{quote(action)}/")

    def _tell(self, path: str) -> None:
        document(self._client.send("POST", path))

    def _list(self, form: str, since: str | None, limit: int, offset: int) -> Answer:
        changed = [("filter-start-mtime", "on"), ("filter-start-mtime-value", since)] if since else []
        query = [("filter", "all"), ("full", "on"), *changed, ("offset", str(offset)), ("limit", str(limit))]
        return self._client.get(f"/api/forms/{quote(form)}/list", query)


def _requests(answer: Answer) -> list[dict[str, Any]]:
    found = entries(answer)
    # Passed over, they would look like requests that are gone.
    if not all(isinstance(each, dict) for each in found):
        raise Fault(FaultKind.ODD, f"{answer.place} answered with a list of something else than requests")
    return found


def request_id(entry: dict[str, Any]) -> str | None:
    """`12`, whether it is written so or as `form/12`; `id` itself may be a text of the town's own making."""
    for key in ("id", "internal_id"):
        text = (text_at(entry, key) or "").rpartition("/")[2]
        if text.isascii() and text.isdigit():
            return text
    return None


def status_of(entry: dict[str, Any]) -> tuple[str | None, str | None]:
    """Id and name of the status a request is in; none for a draft. `status` is only what its citizen is shown."""
    place = next((each for each in ("real_status", "status") if text_at(entry, f"workflow.{each}.id")), "status")
    return text_at(entry, f"workflow.{place}.id"), text_at(entry, f"workflow.{place}.name")
