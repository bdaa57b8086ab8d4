"""Login with account and password, and logout. A refused login is told nothing about the account."""

from functools import partial
from typing import Annotated

import structlog
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from hub.auth.people import MAX_ACCOUNT, MAX_PASSWORD, LoginRefused, Person, Reason
from hub.auth.sessions import Session, hash_token
from hub.database.faults import DatabaseFault
from hub.failures import HubFault
from hub.queue.answers import RefusedAnswer, SessionAnswer
from hub.queue.people_requests import EndReason, EndSession, OpenSession
from hub.queue.requests import Origin, Source
from hub.tasks import Busy
from hub.web.door import cookie_name
from hub.web.parts import WebParts
from hub.web.words import environment, say

log = structlog.get_logger()

# Logins have threads of their own, so that a directory that hangs takes none from the pages. They suffice for the 74
# logins that `Login` lets into its lanes, so that a known account never waits behind unknown ones.
LOGINS_AT_ONCE, LOGINS_IN_WAIT = 80, 64
MAX_ADDRESS = 500

STATUS_OF = {Reason.WRONG: 401, Reason.NO_ROLE: 401, Reason.TOO_MANY: 429, Reason.AWAY: 503}

# Without constraints: any content is answered in words for people, not with a validation problem.
Text = Annotated[str, Form()]


def create_login_pages(parts: WebParts) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    pages = LoginPages(parts)
    router.add_api_route("/login", pages.show, methods=["GET"], response_class=HTMLResponse)
    router.add_api_route("/login", pages.log_in, methods=["POST"], response_class=HTMLResponse)
    router.add_api_route("/logout", pages.log_out, methods=["POST"])
    return router


class LoginPages:
    def __init__(self, parts: WebParts) -> None:
        self._parts, self._gate, self._reached = parts, parts.gate, parts.reached
        self._templates = environment({}, parts.reached.path)
        self._threads = CapacityLimiter(LOGINS_AT_ONCE)

    async def show(self, request: Request, to: str = "/") -> Response:
        """Show the form, or go on if a session is open."""
        if self._session(request) is not None:
            return self._see(to)
        # Logout deletes the cookie, so a cookie without a session means that the session ended in another way. The page
        # does not say whose session it was or why it ended: anybody may be at this browser.
        was_in = cookie_name(self._reached) in request.cookies
        return self._page(to, told=say("Your session is over. Log in again.") if was_in else "")

    async def log_in(self, request: Request, account: Text = "", password: Text = "", to: Text = "/") -> Response:
        """Open a session with a new token: a token that somebody planted in this browser before is worth nothing."""
        address = request.client.host if request.client else ""
        try:
            token = await self._open(await self._person(account, password, address))
        except LoginRefused as refused:
            is_away = refused.reason is Reason.AWAY
            return self._page(to, account, _said(refused.reason), STATUS_OF[refused.reason], is_away=is_away)
        except (Busy, DatabaseFault, HubFault) as fault:
            log.warning("login.no_session", error=str(fault))
            return self._page(to, account, say("The hub could not let you in just now. Try again."), 503)
        await self._end_before(self._session(request))
        response = self._see(to)
        name, secure = cookie_name(self._reached), self._reached.by_tls
        # The cookie ends with the browser; the session's limits end it anyway.
        response.set_cookie(name, token, path="/", secure=secure, httponly=True, samesite="lax")
        return response

    async def log_out(self, request: Request) -> Response:
        """End the session everywhere at once, its sockets too."""
        by_script = request.headers.get("hx-request") == "true"
        try:
            await self._end(self._session(request))
        except (Busy, DatabaseFault, HubFault) as fault:
            log.warning("login.not_ended", error=str(fault))
            told = say("You are not logged out yet: the hub could not note it. Try again.")
            if by_script:
                return HTMLResponse(self._templates.get_template("said.html").render(sentence=told), 503)
            return self._page("/", "", told, 503)
        login = f"{self._reached.path}/login"
        response = Response(headers={"hx-redirect": login}) if by_script else RedirectResponse(login, 303)
        response.delete_cookie(
            cookie_name(self._reached), path="/", secure=self._reached.by_tls, httponly=True, samesite="lax"
        )
        return response

    async def _person(self, account: str, password: str, address: str) -> Person:
        """Raises LoginRefused."""
        if self._threads.statistics().tasks_waiting >= LOGINS_IN_WAIT:
            self._gate.refused(Reason.AWAY)
            raise LoginRefused(Reason.AWAY)
        return await to_thread.run_sync(partial(self._gate.log_in, account, password, address), limiter=self._threads)

    async def _open(self, person: Person) -> str:
        """Open a session and return its token. Raises LoginRefused."""
        token = self._gate.new_token()
        opened = OpenSession(
            origin=self._origin(person.account),
            token_hash=hash_token(token),
            account=person.account,
            name=person.name,
            roles=tuple(sorted(person.roles)),
            local=person.local,
        )
        answer = await self._parts.do(opened)
        if isinstance(answer, RefusedAnswer):
            # The local account was ended after its password was checked.
            self._gate.refused(Reason.WRONG)
            raise LoginRefused(Reason.WRONG)
        if not isinstance(answer, SessionAnswer):
            raise TypeError(f"a session was not opened: {answer}")
        now_ms = self._parts.now_ms()
        session = Session(
            id=answer.session,
            token_hash=opened.token_hash,
            person=person,
            opened_ms=now_ms,
            seen_ms=now_ms,
            checked_ms=now_ms,
        )
        self._gate.book.add(session)
        self._gate.admitted(person)
        return token

    async def _end_before(self, session: Session | None) -> None:
        """End the session that this browser had before. If that fails, the session is left to its limits.

        Refusing the login instead would leave the new session behind, with a token that nobody has.
        """
        try:
            await self._end(session)
        except (Busy, DatabaseFault, HubFault) as fault:
            log.warning("login.not_ended", error=str(fault))

    async def _end(self, session: Session | None) -> None:
        if session is None:
            return
        origin = self._origin(session.person.account)
        await self._parts.do(EndSession(origin=origin, session=session.id, reason=EndReason.LOGOUT))
        self._gate.book.drop(session.id)

    def _session(self, request: Request) -> Session | None:
        token = request.cookies.get(cookie_name(self._reached))
        return self._gate.book.find(token, self._parts.now_ms()) if token else None

    def _origin(self, account: str) -> Origin:
        return Origin(Source.PAGE, account, self._parts.new_id())

    def _page(
        self,
        to: str,
        account: str = "",
        refused: str = "",
        status: int = 200,
        *,
        told: str = "",
        is_away: bool = False,
    ) -> HTMLResponse:
        page = self._templates.get_template("login.html").render(
            site=self._parts.site,
            to=own_path(to),
            account=account[:MAX_ACCOUNT],
            refused=refused,
            told=told,
            note=_which_account(is_away=is_away) if self._parts.site.login.directory else "",
            max_account=MAX_ACCOUNT,
            max_password=MAX_PASSWORD,
        )
        return HTMLResponse(page, status)

    def _see(self, to: str) -> RedirectResponse:
        return RedirectResponse(f"{self._reached.path}{own_path(to)}", 303)


def own_path(to: str) -> str:
    """Return where to go after the login: `to` if it is a path of the hub, else the start page.

    Browsers read `//x` and `/\\x` as another host, and ignore tabs and line ends inside an address.
    """
    is_own = to.startswith("/") and not to.startswith("//") and len(to) <= MAX_ADDRESS
    is_plain = to.isprintable() and "\\" not in to and " " not in to
    leads_back = to.partition("?")[0] in {"/login", "/logout"}
    return to if is_own and is_plain and not leads_back else "/"


def _which_account(*, is_away: bool) -> str:
    if is_away:
        return say("Meanwhile only a local account lets in. Tell the IT department.")
    return say("With the account and the password of your computer at work.")


def _said(reason: Reason) -> str:
    if reason is Reason.TOO_MANY:
        return say("Too many tries. Wait some minutes, then try again.")
    if reason is Reason.AWAY:
        return say("The directory does not answer. Try again in a moment.")
    return say("The account or the password is wrong, or the account has no role here.")
