"""A name is text wherever it is shown: its markup stays text on every page, in every panel and live frame."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest

from hub.auth.roles import STAFF, Role
from hub.queue import requests as q
from hub.queue.requests import Origin, Source
from hub.site import Site
from hub.web.desk.panels import Panel
from tests.auth.small_directory import SmallDirectory
from tests.security.town import Town, open_town
from tests.web.stand import ANSWER_LIMIT_S, a_site, new_id

# Tries to open an element; to end an attribute of each kind, a script, a comment and a style; and to be a template.
MARKUP = "</title><xss-probe xss-probe=1>' xss-probe='1 \" xss-probe=\"1 --></script></style>{{7*7777777}}${7*7777777}"
SHORT = "\"'><xss-probe xss-probe>"
SCHEME = "javascript:xss-probe()"
# Attributes that load something or link somewhere.
ADDRESSES = {"href", "src", "action", "formaction", "data", "poster", "hx-get", "hx-post", "hx-ws:connect"}


@dataclass
class Probe(HTMLParser):
    """Notes what a browser would take for markup but does not come from our templates."""

    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        if tag == "xss-probe" or any("xss" in name or name.startswith("on") for name in names):
            self.faults.append(self.get_starttag_text() or tag)
        if tag in {"script", "iframe", "object", "embed", "base", "style"} and not dict(attrs).get("src", ""):
            self.faults.append(f"<{tag}> without src")
        for name, value in attrs:
            if name in ADDRESSES and (urlsplit(value or "").scheme or (value or "").startswith("//")):
                self.faults.append(f"{name}={value}")


def faults_of(html: str) -> list[str]:
    probe = Probe()
    probe.feed(html)
    probe.close()
    return probe.faults + ["a template"] * ("54444439" in html)


@pytest.mark.parametrize("around", ["<p>{}</p>", "<p title='{}'>", '<p title="{}">', "<p title={}>"])
def test_markup_that_is_not_escaped_would_be_found(around: str) -> None:
    assert faults_of(around.format(MARKUP)) != []
    assert faults_of(f'<a href="{SCHEME}">') != []


def marked(site: Site) -> Site:
    """The same site, with markup in each name that is shown."""
    replace = msgspec.structs.replace
    return replace(
        site,
        town=MARKUP,
        halls=tuple(replace(each, title=MARKUP) for each in site.halls),
        services=tuple(replace(each, title=MARKUP, short=SHORT) for each in site.services),
        desks=tuple(replace(each, place=MARKUP) for each in site.desks),
    )


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, directory: SmallDirectory) -> Iterator[Town]:
    with open_town(tmp_path_factory.mktemp("markup"), directory, marked(a_site())) as made:
        yield made


@pytest.fixture(scope="module")
def tickets(town: Town) -> dict[str, int]:
    """A ticket in each list of desk 3: the visitors' names are markup, and so are some agents' names."""
    stand = town.stand
    stand.log_in(Role.AGENT, account="x.exemple", name=MARKUP)
    stand.open("desk-1", "desk-2", "desk-3")
    stand.do(q.SignOn(origin=Origin(Source.PAGE, "x.exemple", new_id()), desk="desk-1"))
    now_ms = town.clock.now_ms()
    expected = stand.book("civil", now_ms, name=MARKUP, confirmation="ABCDEFGH")
    absent = stand.book("civil", now_ms + 60_000, name=SCHEME)
    stand.fail_report(absent, "absent", MARKUP)
    booked = stand.book("civil", now_ms, name=MARKUP)
    stand.check_in(booked)
    called = stand.next("desk-3").ticket
    parked = stand.next("desk-1").ticket or stand.issue("civil").ticket
    waiting = stand.issue("civil").ticket
    return {"expected": expected, "absent": absent, "called": called or booked, "parked": parked, "waiting": waiting}


@pytest.fixture(scope="module")
def token(town: Town) -> str:
    """The session of somebody whose own name is markup, signed on at desk 3."""
    made = town.stand.log_in(*STAFF, account="y.exemple", name=MARKUP)
    town.stand.sign_on("desk-3", account="y.exemple")
    return made


@pytest.fixture
def agent(town: Town, token: str) -> Iterator[httpx.Client]:
    with town.browser(token) as browser:
        yield browser


def test_no_page_takes_a_name_for_markup(tickets: dict[str, int], agent: httpx.Client) -> None:
    paths = ["/", "/desks/desk-1", "/desks/desk-3", *(f"/desks/desk-3?panel={panel}" for panel in Panel)]
    for panel in (Panel.TICKET, Panel.TRANSFER, Panel.CANCEL):
        paths += [f"/desks/desk-3?panel={panel}&ticket={ticket}" for ticket in tickets.values()]
    for path in paths:
        for headers in ({}, {"HX-Request": "true"}):
            answer = agent.get(path, headers=headers)
            assert answer.headers["content-type"] in {"text/html; charset=utf-8", "application/problem+json"}
            if answer.headers["content-type"].startswith("text/html"):
                assert faults_of(answer.text) == [], path


def test_every_name_is_shown_somewhere(town: Town, tickets: dict[str, int], agent: httpx.Client) -> None:
    """Without this the other tests might look at nothing."""
    shown = agent.get("/").text + agent.get("/desks/desk-3").text + agent.get("/desks/desk-1").text
    found = agent.post("/desks/desk-3/search", data={"query": "xss"}).text
    assert shown.count("&lt;xss-probe") > 10
    assert found.count("&lt;xss-probe") > 1


@pytest.mark.parametrize("typed", [MARKUP, SHORT, SCHEME, "{{ site }}", "%(site)s", "<!--", "\u202e<b>"])
def test_nothing_that_is_typed_comes_back_as_markup(
    town: Town, tickets: dict[str, int], agent: httpx.Client, typed: str
) -> None:
    with town.browser() as stranger:
        answers = [
            stranger.post("/login", data={"account": typed, "password": "x", "to": typed}),
            stranger.get("/login", params={"to": typed}),
            stranger.get("/login", params={"to": f"/{typed}"}),
        ]
    ticket = tickets["waiting"]
    answers += [
        agent.post("/desks/desk-3/search", data={"query": typed}),
        agent.post("/desks/desk-3/search", data={"query": typed}, headers={"HX-Request": "true"}),
        agent.get("/desks/desk-3", params={"panel": typed}),
        agent.get(f"/desks/{typed}"),
        agent.post(f"/desks/desk-3/{typed}"),
        agent.post("/desks/desk-3/recall", data={"id": typed, "shown": typed}),
        agent.post(f"/desks/desk-3/tickets/{ticket}/transfer", params={"service": typed}),
        agent.get(f"/{typed}"),
        agent.get("/api/v1/tickets/waiting", params={"service": typed}),
        agent.post("/api/v1/tickets", json={"service": typed}),
    ]
    for answer in answers:
        kind = answer.headers.get("content-type", "")
        assert kind in {"", "text/html; charset=utf-8", "application/problem+json"}, kind
        if kind.startswith("text/html"):
            assert faults_of(answer.text) == []


def test_no_answer_to_a_command_takes_a_name_for_markup(
    town: Town, tickets: dict[str, int], agent: httpx.Client
) -> None:
    """Refusals name who did what: here somebody whose name is markup."""
    words = ["next", "recall", "start", "sign-off", "sign-on", "pause", "open", "undo", "close"]
    paths = [f"/desks/{desk}/{word}" for desk in ("desk-1", "desk-3") for word in words]
    paths += [
        f"/desks/desk-3/tickets/{ticket}/{word}"
        for ticket in tickets.values()
        for word in ("check-in", "pick", "readmit", "start", "transfer")
    ]
    for path in paths:
        answer = agent.post(path, data={"shown": "999"}, headers={"HX-Request": "true"})
        if answer.headers.get("content-type", "").startswith("text/html"):
            assert faults_of(answer.text) == [], path


@pytest.mark.parametrize("desk", ["desk-1", "desk-3"])
def test_no_live_frame_takes_a_name_for_markup(town: Town, tickets: dict[str, int], token: str, desk: str) -> None:
    with town.listen(token, f"/desks/{desk}/live") as socket:
        frame = json.loads(socket.recv(timeout=ANSWER_LIMIT_S))
    assert "&lt;xss-probe" in frame["content"]
    assert faults_of(frame["content"]) == []


def test_who_may_not_reads_why_without_markup(town: Town) -> None:
    made = town.stand.log_in(Role.RECEPTION, account="z.exemple", name=MARKUP)
    with town.browser(made) as reception:
        for headers in ({}, {"HX-Request": "true"}):
            answer = reception.post("/desks/desk-3/next", headers=headers)
            assert answer.status_code == 403
            assert faults_of(answer.text) == []


def test_the_document_of_a_desk_is_no_page(town: Town, tickets: dict[str, int], agent: httpx.Client) -> None:
    """The same names as JSON, which a browser must not read as anything else."""
    for path in ("/api/v1/site", "/api/v1/halls", "/api/v1/desks/desk-3", "/api/v1/appointments/reports"):
        answer = agent.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
