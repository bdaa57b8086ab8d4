"""Everything has a bound: the hub refuses what is too long or too slow, and goes on."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import websockets
from uvicorn.server import ServerState

from hub.web import guard, wire
from hub.web.serving import server_config
from hub.web.wire import MAX_HEAD_BYTES, BoundedHttp
from tests.security.town import PASSWORD, Town, log_in
from tests.security.wires import LIMIT_S, drip, drip_on, read_all, read_answer, send, status_of
from tests.web.stand import COOKIE, Served


@pytest.fixture
def server(town: Town) -> Served:
    return town.server


@pytest.fixture(autouse=True)
def still_there(town: Town) -> Iterator[None]:
    """Check that the hub still answers after whatever a test sent."""
    yield
    assert town.ask("GET", "/healthz").status_code == 200


def head(server: Served, first: bytes, *lines: bytes) -> bytes:
    own = f"127.0.0.1:{server.port}".encode()
    return b"\r\n".join([first, b"Host: " + own, b"Origin: http://" + own, *lines, b"Connection: close", b"", b""])


@pytest.mark.parametrize(
    "line",
    [
        b"X-Long: " + b"x" * MAX_HEAD_BYTES,
        b"Cookie: suivant=" + b"x" * MAX_HEAD_BYTES,
        b"\r\n".join([b"X-Many: 1"] * 2_000),
    ],
    ids=["header", "cookie", "many headers"],
)
def test_a_head_too_long_is_refused(server: Served, line: bytes) -> None:
    answer = send(server.port, [head(server, b"GET /healthz HTTP/1.1", line)])
    assert status_of(answer) == 431
    assert b"content-security-policy: default-src 'none'" in answer


def test_a_path_too_long_is_refused(server: Served) -> None:
    first = b"GET /desks/" + b"x" * MAX_HEAD_BYTES + b" HTTP/1.1"
    assert status_of(send(server.port, [head(server, first)])) == 431


def test_a_head_without_end_is_refused_while_it_comes(server: Served) -> None:
    answer = send(server.port, [b"GET /healthz HTTP/1.1\r\nX-Long: ".ljust(MAX_HEAD_BYTES + 1, b"x")])
    assert status_of(answer) == 431


def test_the_second_head_on_one_connection_is_bounded_too(server: Served) -> None:
    own = f"127.0.0.1:{server.port}".encode()
    with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: " + own + b"\r\n\r\n")
        assert status_of(read_answer(connection)) == 200
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: ".ljust(MAX_HEAD_BYTES + 1, b"x"))
        assert b"HTTP/1.1 431 " in read_all(connection)


def test_a_slow_head_is_given_up_however_steadily_it_drips(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_LIMIT_S", 0.3)
    answer = drip(server.port, b"GET /healthz HTTP/1.1\r\nX-Slow: ")
    assert status_of(answer) == 408


def test_a_connection_that_says_nothing_is_closed(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_LIMIT_S", 0.1)
    assert send(server.port, []) == b""


def test_an_empty_line_after_an_answer_holds_no_connection(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    own = f"127.0.0.1:{server.port}".encode()
    with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: " + own + b"\r\n\r\n")
        assert status_of(read_answer(connection)) == 200
        monkeypatch.setattr(wire, "HEAD_LIMIT_S", 0.3)
        connection.sendall(b"\r\n")
        assert status_of(read_all(connection)) == 408


def test_a_live_page_outlives_the_limit_of_a_head(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[tuple[wire.BoundedHttp, asyncio.TimerHandle]] = []
    wait = wire.BoundedHttp._wait

    def note(connection: wire.BoundedHttp) -> None:
        wait(connection)
        assert connection._too_late is not None
        began.append((connection, connection._too_late))

    monkeypatch.setattr(wire.BoundedHttp, "_wait", note)
    with town.browser() as browser:
        log_in(browser, "b.exemple", PASSWORD)
        with town.listen(browser.cookies[COOKIE]) as live:
            live.recv(timeout=LIMIT_S)
            # The limit passes: every timer that was not stopped is due. One of the handshake would close the page.
            for connection, timer in began:
                if not timer.cancelled():
                    connection.loop.call_soon_threadsafe(connection._give_up)
            are_over = threading.Event()
            began[-1][0].loop.call_soon_threadsafe(are_over.set)
            assert are_over.wait(LIMIT_S)
            assert live.ping().wait(LIMIT_S)


def test_the_body_of_a_request_that_was_refused_holds_no_connection(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = f"127.0.0.1:{server.port}".encode()
    lines = [b"POST /login HTTP/1.1", b"Host: x", b"Content-Length: 60000", b"", b""]
    with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: " + own + b"\r\n\r\n")
        assert status_of(read_answer(connection)) == 200
        monkeypatch.setattr(wire, "HEAD_LIMIT_S", 0.3)
        connection.sendall(b"\r\n".join(lines))
        assert status_of(read_answer(connection)) == 403
        assert drip_on(connection) == b""


def test_a_slow_body_is_given_up_however_steadily_it_drips(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_LIMIT_S", 0.3)
    start = head(server, b"POST /login HTTP/1.1", b"Content-Length: 60000")
    answer = drip(server.port, start)
    assert status_of(answer) == 408
    assert b"frame-ancestors 'none'" in answer


@pytest.mark.parametrize("length", [b"65537", b"9" * 30, b"-1", b"1e3", b"0x10", b"\xb2"])
def test_a_body_too_long_or_of_odd_length_is_refused_unread(server: Served, length: bytes) -> None:
    answer = send(server.port, [head(server, b"POST /login HTTP/1.1", b"Content-Length: " + length)])
    assert status_of(answer) in {400, 413}


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
        (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
        (b"Content-Length: 5", b"Content-Length: 6"),
        (b"Transfer-Encoding: identity",),
        (b"Transfer-Encoding: xchunked",),
        (b"Transfer-Encoding : chunked",),
        (b"Content-Length: 5\n\tX: y",),
    ],
)
def test_a_body_whose_end_two_programs_could_read_differently_is_refused(server: Served, lines: tuple[bytes]) -> None:
    smuggled = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = send(server.port, [head(server, b"POST /login HTTP/1.1", *lines) + smuggled])
    assert status_of(answer) in {400, 411}
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("upgrade", [b"websocket", b"h2c", b"TLS/1.0", b"WebSocket, h2c"])
@pytest.mark.parametrize("framing", [b"Content-Length: %d", b"Transfer-Encoding: chunked"])
def test_the_late_body_of_a_request_for_an_upgrade_is_never_read_as_a_request(
    server: Served, upgrade: bytes, framing: bytes
) -> None:
    own = f"127.0.0.1:{server.port}".encode()
    body = b"GET /healthz HTTP/1.1\r\nHost: " + own + b"\r\n\r\n"
    lines = [b"POST /login HTTP/1.1", b"Host: " + own, b"Origin: http://" + own, b"Connection: keep-alive, Upgrade"]
    lines += [b"Upgrade: " + upgrade, framing % len(body) if b"%d" in framing else framing, b"", b""]
    with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as connection:
        connection.sendall(b"\r\n".join(lines))
        answer = read_answer(connection)
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(body)
            answer += read_all(connection)
    assert status_of(answer) in {400, 411}
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(
    "lines",
    [
        (b"Connection: Upgrade", b"Upgrade: h2c"),
        (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
        (b"Expect: 100-continue", b"Content-Length: 400"),
        (b"Expect: x 100-continue", b"Content-Length: 400"),
        (b"Expect: 100-continue", b"Transfer-Encoding: chunked"),
    ],
)
@pytest.mark.parametrize("ahead", [False, True], ids=["after the answer", "in one segment"])
def test_nothing_is_read_after_a_request_for_an_upgrade_or_for_a_100(
    server: Served, lines: tuple[bytes], ahead: bool
) -> None:
    own = f"127.0.0.1:{server.port}".encode()
    # Another host: the hub refuses it without waiting for a body.
    asked = b"\r\n".join([b"POST /login HTTP/1.1", b"Host: x", *lines, b"", b""])
    following = b"GET /healthz HTTP/1.1\r\nHost: " + own + b"\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as connection:
        connection.sendall(asked + following * ahead)
        answer = read_answer(connection)
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(following)
        rest = read_all(connection)
    assert status_of(answer) in {400, 403}
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert rest == b""


def test_a_client_that_sends_many_requests_ahead_is_cut_off(server: Served) -> None:
    own = f"127.0.0.1:{server.port}".encode()
    asked = b"GET /healthz HTTP/1.1\r\nHost: " + own + b"\r\n\r\n"
    few = send(server.port, [asked * wire.AHEAD_MOST + asked.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")])
    assert few.count(b"HTTP/1.1 200 ") == wire.AHEAD_MOST + 1
    # In one segment, so that none is answered before the last has come.
    many = send(server.port, [asked * (wire.AHEAD_MOST + 2)])
    assert many.count(b"HTTP/1.1 200 ") <= 1


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"service":' * 5_000 + b"1" + b"}" * 5_000,
        b'{"service": "civil", "priority": ' + b"9" * 60_000 + b"}",
        b'{"service": "' + b"x" * 60_000 + b'"}',
        b'{"service": "\\ud800"}',
        b'{"service": "civil", "id": "' + b"0" * 60_000 + b'"}',
        b"\xff\xfe\x00",
        b'{"service": NaN}',
        b'{"service": "civil", ' + b", ".join(b'"x%d": 1' % number for number in range(4_000)) + b"}",
    ],
    ids=["deep list", "deep objects", "long number", "long name", "half a sign", "long id", "bytes", "nan", "many"],
)
def test_an_odd_document_is_refused_and_nothing_fails(town: Town, agent: httpx.Client, body: bytes) -> None:
    before = town.journal()
    answer = agent.post("/api/v1/tickets", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    assert town.journal() == before


@pytest.mark.parametrize("shown", ["9" * 5_000, "1e999", "-1", str(2**70)])
def test_a_number_that_no_ticket_has_is_refused_and_nothing_fails(agent: httpx.Client, shown: str) -> None:
    body = f'{{"shown": {shown}}}'
    answer = agent.post("/api/v1/desks/desk-3/next", content=body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert agent.post("/desks/desk-3/next", data={"shown": shown}).status_code < 500


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"&".join(b"x%d=1" % number for number in range(5_000))),
        ("application/x-www-form-urlencoded", b"shown=" + b"1" * 60_000),
        ("application/x-www-form-urlencoded", b"id=" + b"%00" * 10_000),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="y"\r\n\r\nz\r\n' * 1_000),
        ("multipart/form-data", b"--x"),
        ("multipart/form-data; boundary=" + "x" * 5_000, b"--x"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A" * 60_000),
    ],
)
@pytest.mark.parametrize("path", ["/login", "/desks/desk-3/recall", "/desks/desk-3/search"])
def test_an_odd_form_is_refused_and_nothing_fails(agent: httpx.Client, path: str, kind: str, body: bytes) -> None:
    answer = agent.post(path, content=body, headers={"Content-Type": kind})
    assert answer.status_code < 500 or answer.status_code == 503


def test_a_password_longer_than_any_is_never_hashed(
    town: Town, stranger: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.auth.login.matches", lambda *_: pytest.fail("it was hashed"))
    assert log_in(stranger, "b.exemple", "x" * 60_000).status_code == 401
    assert log_in(stranger, "b" * 60_000, "x").status_code == 401


def frames(town: Town, token: str, message: str, **options: Any) -> int:
    """The code with which the hub closes a live page's socket that sends a message."""

    async def talk() -> int:
        address = f"ws://127.0.0.1:{town.server.port}/desks/desk-3/live"
        origin: Any = town.own
        cookie = {"Cookie": f"{COOKIE}={token}"}
        async with websockets.connect(
            address, origin=origin, additional_headers=cookie, proxy=None, **options
        ) as socket:
            await socket.send(message)
            async with asyncio.timeout(LIMIT_S):
                await socket.wait_closed()
            return socket.close_code or 0

    return asyncio.run(talk())


def test_a_frame_too_long_closes_the_socket(town: Town, agent_token: str) -> None:
    assert frames(town, agent_token, "x" * 2_000, compression=None) == 1009


def test_a_frame_that_swells_when_it_is_unpacked_closes_the_socket(town: Town, agent_token: str) -> None:
    assert frames(town, agent_token, "x" * 10_000_000, compression="deflate") == 1009


def test_the_head_of_a_handshake_is_bounded_too(town: Town, agent_token: str) -> None:
    lines = [
        "GET /desks/desk-3/live HTTP/1.1",
        f"Host: 127.0.0.1:{town.server.port}",
        f"Origin: {town.own}",
        f"Cookie: {COOKIE}={agent_token}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        f"X-Long: {'x' * MAX_HEAD_BYTES}",
    ]
    assert status_of(send(town.server.port, ["\r\n".join([*lines, "", ""]).encode()])) == 431


def test_what_is_refused_on_the_way_is_no_failure_in_the_log(
    town: Town, server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    body = b"Content-Length: 5\r\nX-Long: " + b"x" * MAX_HEAD_BYTES
    upgrade = b"Upgrade: websocket\r\nConnection: Upgrade\r\nX-Long: " + b"x" * MAX_HEAD_BYTES
    for line, after in ((body, b"xxxxx"), (upgrade, b"")):
        answer = send(server.port, [b"POST /login HTTP/1.1\r\nHost: x\r\n" + line + b"\r\n\r\n" + after])
        assert status_of(answer) == 431
    assert caplog.records == []


@pytest.mark.parametrize("path", [b"/desks/desk-3/live", b"/nothing"])
@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length: 3\r\n\r\nabc",
        b"Content-Length: 3\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"X-Long: " + b"x" * 10_000 + b"\r\n\r\n",
        b"\r\n".join([b"X-Many: 1"] * 200) + b"\r\n\r\n",
    ],
    ids=["a body", "a body to come", "chunks to come", "a long line", "many lines"],
)
def test_a_handshake_that_cannot_be_read_is_refused_and_holds_no_connection(
    server: Served, path: bytes, line: bytes
) -> None:
    own = f"127.0.0.1:{server.port}".encode()
    start = [b"GET " + path + b" HTTP/1.1", b"Host: " + own, b"Upgrade: websocket", b"Connection: Upgrade"]
    key = [b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    answer = send(server.port, [b"\r\n".join([*start, *key, line])])
    assert status_of(answer) == 400
    assert b"content-security-policy: default-src 'none'" in answer


def test_a_handshake_that_says_it_has_no_body_is_one_like_any_other(server: Served) -> None:
    own = f"127.0.0.1:{server.port}".encode()
    start = [b"GET /desks/desk-3/live HTTP/1.1", b"Host: " + own, b"Upgrade: websocket", b"Connection: Upgrade"]
    key = [b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    statuses = [
        status_of(send(server.port, [b"\r\n".join([*start, *key, *line, b"", b""])]))
        for line in ([], [b"Content-Length: 0"])
    ]
    assert statuses == [403, 403]


def test_who_never_takes_the_answers_holds_no_connection(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "WRITE_LIMIT_S", 0.3)
    monkeypatch.setattr(wire, "AHEAD_MOST", 1_000)
    ended = threading.Event()
    lost = BoundedHttp.connection_lost

    def note(protocol: BoundedHttp, error: Exception | None) -> None:
        lost(protocol, error)
        ended.set()

    monkeypatch.setattr(BoundedHttp, "connection_lost", note)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect(("127.0.0.1", server.port))
        own = f"127.0.0.1:{server.port}".encode()
        asked = b"GET /static/vendor/lexend-400.woff2 HTTP/1.1\r\nHost: " + own + b"\r\n\r\n"
        connection.sendall(asked * 400)
        assert ended.wait(LIMIT_S)


class Reader(asyncio.Transport):
    """The other side of a connection. `untaken`: how many written bytes it has not taken yet."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: asyncio.BaseProtocol | None = None
        self.untaken = 0
        self.is_closed = self.is_aborted = False

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self.protocol is not None
        return self.protocol

    def get_write_buffer_size(self) -> int:
        return self.untaken

    def is_closing(self) -> bool:
        return self.is_closed

    def write(self, data: Any) -> None:
        """Drop the data: nobody reads it."""

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True


class TurnedLoop:
    """Calls what is to be called later when the test turns it."""

    def __init__(self) -> None:
        self.due: list[tuple[Callable[..., None], tuple[Any, ...]]] = []

    def call_later(self, _delay_s: float, callback: Callable[..., None], *given: Any) -> Any:
        entry = (callback, given)
        self.due.append(entry)
        return SimpleNamespace(cancel=lambda: entry in self.due and self.due.remove(entry))

    def turn(self) -> None:
        due, self.due = self.due, []
        for callback, given in due:
            callback(*given)


def watched_reader() -> tuple[TurnedLoop, Reader, BoundedHttp]:
    loop, reader = TurnedLoop(), Reader()
    config = server_config(asgi_app)
    config.load()
    reader.protocol = protocol = BoundedHttp(
        config=config,
        server_state=ServerState(),
        app_state={},
        _loop=loop,  # type: ignore[arg-type]
    )
    protocol.connection_made(reader)
    loop.due.clear()
    return loop, reader, protocol


def test_who_takes_an_answer_slowly_is_waited_for() -> None:
    loop, reader, protocol = watched_reader()
    reader.untaken = 90_000
    protocol.pause_writing()
    for _ in range(20):
        reader.untaken -= 1_000
        loop.turn()
    assert not reader.is_aborted
    loop.turn()
    assert reader.is_aborted


def test_whose_next_answer_has_just_begun_is_not_taken_for_one_who_takes_nothing() -> None:
    loop, reader, protocol = watched_reader()
    protocol.resume_writing()
    # Part of an answer that comes in parts: too little for a pause, and not complete yet.
    reader.untaken = 20_000
    loop.turn()
    assert not reader.is_aborted
    loop.turn()
    assert reader.is_aborted


@pytest.mark.parametrize(
    "answer",
    [BoundedHttp.on_response_complete, lambda protocol: protocol.send_400_response("this is no request")],
    ids=["an answer", "a refusal"],
)
def test_who_takes_nothing_of_what_is_too_little_for_a_pause_holds_no_connection(
    answer: Callable[[BoundedHttp], None],
) -> None:
    loop, reader, protocol = watched_reader()
    reader.untaken = 500
    answer(protocol)
    loop.turn()
    assert reader.is_aborted


def test_who_reads_a_websocket_by_now_is_not_judged_by_the_answer_before() -> None:
    loop, reader, protocol = watched_reader()
    reader.untaken = 500
    protocol.on_response_complete()
    reader.protocol = asyncio.Protocol()
    loop.turn()
    assert not reader.is_aborted


def test_of_a_connection_that_is_lost_nothing_is_kept() -> None:
    loop, _, protocol = watched_reader()
    protocol.pause_writing()
    protocol.connection_lost(None)
    assert loop.due == []


def test_nothing_is_parsed_after_a_request_that_closed_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    monkeypatch.setattr(BoundedHttp, "on_url", lambda _protocol, url: parsed.append(url))
    _, reader, protocol = watched_reader()
    too_long = b"GET /first HTTP/1.1\r\nX-Long: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n"
    protocol.data_received(too_long + b"GET /next HTTP/1.1\r\n\r\n" * 2)
    assert reader.is_closed
    assert parsed == [b"/first"]


async def asgi_app(_scope: Any, _receive: Any, _send: Any) -> None:
    """Is never called."""
