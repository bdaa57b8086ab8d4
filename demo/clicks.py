"""An agent's screen: the login, the forms of the desk's page, and what the desk holds."""

import asyncio
import contextlib
import os
import time
from dataclasses import dataclass
from typing import Any

import httpx

from demo.people import PASSWORD
from protocol.ids import uuid7

TIMEOUT_S = 5.0
# The wait after a login before the next attempt: the hub counts failed ones.
LOGIN_AGAIN_S = 10.0
LOGIN_S = 30.0


@dataclass(frozen=True, slots=True)
class DeskNow:
    """A desk's state. `held`: the number of the ticket at the desk; None if there is none."""

    mode: str
    held: str | None


class Screen:
    """The screen of one account. Queries return None while the hub is away: an agent then goes on with the button.

    `one_login`: a lock shared by all screens. They have one address here, and the hub limits failed logins by address
    and counts a login as failed until it has succeeded.
    """

    def __init__(self, hub_url: str, account: str, one_login: asyncio.Lock) -> None:
        self._account = account
        self._one_login = one_login
        self._next_login_s = 0.0
        # Sends the Origin header that a browser would send.
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

    async def agent_at(self, desk: str) -> str | None:
        """The account that is signed on at the desk; empty if there is none."""
        found = await self._get(f"/api/v1/desks/{desk}")
        return found["agent"] or "" if found else None

    async def sign_on(self, desk: str) -> None:
        await self._submit(f"/desks/{desk}/sign-on")

    async def click(self, desk: str, word: str) -> None:
        """Click a button of the desk's page, with the ticket that the page shows as held."""
        shown = await self._held(desk)
        await self._submit(f"/desks/{desk}/{word}", shown="" if shown is None else str(shown))

    async def transfer(self, desk: str, service: str) -> None:
        held = await self._held(desk)
        if held is not None:
            await self._submit(f"/desks/{desk}/tickets/{held}/transfer?service={service}")

    async def resume(self, desk: str) -> None:
        """Resume the first ticket that the desk parked."""
        found = await self._get(f"/api/v1/desks/{desk}")
        if found and found["parked"]:
            await self._submit(f"/desks/{desk}/tickets/{found['parked'][0]['ticket']}/resume")

    async def _held(self, desk: str) -> int | None:
        found = await self._get(f"/api/v1/desks/{desk}")
        return found["held"]["ticket"] if found and found["held"] else None

    async def _get(self, path: str) -> dict[str, Any] | None:
        answer = await self._ask("GET", path)
        return answer.json() if answer is not None and answer.is_success else None

    async def _submit(self, path: str, **form: str) -> None:
        """Submit one of the page's forms, as a browser does."""
        identity = uuid7(time.time_ns() // 1_000_000, os.urandom(10))
        # A refusal is fine: somebody was faster, or a viewer of the demo's page did it.
        await self._ask("POST", path, {"id": identity, **form})

    async def _ask(self, method: str, path: str, form: dict[str, str] | None = None) -> httpx.Response | None:
        """Send a request, after a login if there is no session; a session that has ended is dropped."""
        with contextlib.suppress(httpx.HTTPError):
            if not self._client.cookies:
                await self._log_in()
            answer = await self._client.request(method, path, data=form)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                self._client.cookies.clear()
            return answer
        return None

    async def _log_in(self) -> None:
        async with self._one_login:
            now_s = asyncio.get_running_loop().time()
            if self._client.cookies or now_s < self._next_login_s:
                return
            self._next_login_s = now_s + LOGIN_AGAIN_S
            form = {"account": self._account, "password": PASSWORD}
            await self._client.post("/login", data=form, timeout=LOGIN_S)
