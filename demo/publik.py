"""The test Publik as citizens use it, and its bookings for the page."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

TIMEOUT_S = 5.0
# The statuses of Publik's workflow, with the page's names for them.
FATES = {"1": "expected", "2": "arrived", "3": "served", "4": "absent", "5": "cancelled"}
OPEN = ("expected", "arrived")
# Of finished bookings, the page shows no-shows until this long after their time, and the last few of the others.
ABSENT_SHOWN = timedelta(minutes=15)
OVER_SHOWN = 3
SHOWN_MOST = 18
# Later bookings belong to another day.
AHEAD_MOST = timedelta(hours=12)

Kept = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Booked:
    """A form that a citizen submitted: the form's name and the request's id."""

    form: str
    id: int


class Publik:
    """A client of the test Publik's control interface."""

    def __init__(self, address: str) -> None:
        self._client = httpx.AsyncClient(base_url=f"{address}/control", timeout=TIMEOUT_S, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def forms(self) -> Sequence[Kept] | None:
        """All submitted forms in their current state; None if Publik does not answer."""
        try:
            return await self._ask()
        except (httpx.HTTPError, ValueError):
            return None

    async def book(self, form: str, start: str, *, code: str, first_name: str, last_name: str) -> Booked:
        """Book an appointment. `start`: local time, such as `2026-11-25 10:00`."""
        said = {"form": form, "start": start, "code": code, "first_name": first_name, "last_name": last_name}
        answer = await self._until_done("book", said)
        return Booked(answer["form"], answer["id"])

    async def move(self, booked: Booked, start: str) -> None:
        await self._until_done("move", {"form": booked.form, "id": booked.id, "start": start})

    async def cancel(self, booked: Booked) -> None:
        await self._until_done("cancel", {"form": booked.form, "id": booked.id})

    async def _until_done(self, name: str, said: Kept) -> Kept:
        """Retry until Publik answers, without booking twice."""
        tried = False
        while True:
            with suppress(httpx.HTTPError, ValueError):
                return (tried and await self._booked_all_the_same(said)) or await self._post(name, said)
            tried = True
            await asyncio.sleep(TIMEOUT_S)

    async def _booked_all_the_same(self, said: Kept) -> Kept | None:
        return next((form for form in await self._ask() if form["code"] == said.get("code")), None)

    async def _ask(self) -> Sequence[Kept]:
        answer = await self._client.get("/forms")
        answer.raise_for_status()
        found: Sequence[Kept] = answer.json()["forms"]
        return found

    async def _post(self, name: str, said: Kept) -> Kept:
        answer = await self._client.post(f"/{name}", json=said)
        answer.raise_for_status()
        found: Kept = answer.json()
        return found


def in_view(forms: Sequence[Kept], letters: Mapping[str, str], now: datetime) -> list[dict[str, str]]:
    """The bookings that the page shows, by time: no-shows, those just finished, those open, and the next ones.

    `letters`: the service's letter by form. `now`: local and naive, like the bookings' times.
    """
    over, rest = [], []
    for form in sorted(forms, key=lambda form: (form["start"], form["id"])):
        start, fate = datetime.fromisoformat(form["start"]), FATES.get(form["status"], "expected")
        row = {
            "id": f"{form['form']}/{form['id']}",
            "time": f"{start.hour}:{start.minute:02}",
            "letter": letters[form["form"]],
            "code": form["code"],
            "fate": fate,
        }
        if fate not in OPEN and fate != "absent" and start < now:
            over.append((start, row))
        elif start < now + AHEAD_MOST and (fate != "absent" or start > now - ABSENT_SHOWN):
            rest.append((start, row))
    shown = over[-OVER_SHOWN:] + rest[: SHOWN_MOST - OVER_SHOWN]
    return [row for _, row in sorted(shown, key=lambda each: each[0])]
