"""An agent's screen: the forms of the desk's page, and a look at what the desk holds."""

import contextlib
import os
import time
from dataclasses import dataclass
from typing import Any

import httpx

from protocol.ids import uuid7

TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class DeskNow:
    """`held`: the number of the ticket at the desk; None where nobody is."""

    mode: str
    held: str | None


class Screen:
    """All of it answers None where the hub is away: an agent then goes on with the button."""

    def __init__(self, hub_url: str) -> None:
        # A program that is no browser says where it comes from, like one.
        self._client = httpx.AsyncClient(
            base_url=hub_url, timeout=TIMEOUT_S, headers={"origin": hub_url}, trust_env=False
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def desks(self) -> dict[str, DeskNow] | None:
        found = await self._get("/api/v1/desks")
        return {each["desk"]: DeskNow(each["mode"], each["held"]) for each in found["desks"]} if found else None

    async def waiting(self) -> int | None:
        found = await self._get("/api/v1/halls")
        return sum(queue["waiting"] for hall in found["halls"] for queue in hall["waiting"]) if found else None

    async def click(self, desk: str, word: str) -> None:
        """A button of the desk's page, with the ticket that the page shows as held."""
        shown = await self._held(desk)
        await self._submit(f"/desks/{desk}/{word}", shown="" if shown is None else str(shown))

    async def transfer(self, desk: str, service: str) -> None:
        held = await self._held(desk)
        if held is not None:
            await self._submit(f"/desks/{desk}/tickets/{held}/transfer?service={service}")

    async def resume(self, desk: str) -> None:
        """The first ticket that the desk set aside."""
        found = await self._get(f"/api/v1/desks/{desk}")
        if found and found["parked"]:
            await self._submit(f"/desks/{desk}/tickets/{found['parked'][0]['ticket']}/resume")

    async def _held(self, desk: str) -> int | None:
        found = await self._get(f"/api/v1/desks/{desk}")
        return found["held"]["ticket"] if found and found["held"] else None

    async def _get(self, path: str) -> dict[str, Any] | None:
        try:
            answer = await self._client.get(path)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.is_success else None

    async def _submit(self, path: str, **form: str) -> None:
        """One of the page's forms, as a browser sends it."""
        identity = uuid7(time.time_ns() // 1_000_000, os.urandom(10))
        # A refusal is an answer: somebody was faster, or a visitor of the demo's page did it.
        with contextlib.suppress(httpx.HTTPError):
            await self._client.post(path, data={"id": identity, **form})
