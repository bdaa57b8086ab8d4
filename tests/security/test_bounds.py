"""Everything has a bound: what is too long or too slow is refused, and the hub goes on."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from hub.web import wire
from hub.web.wire import MAX_HEAD_BYTES
from tests.security.wires import LIMIT_S, drip, read_all, send, status_of
from tests.web.stand import Served


@pytest.fixture
def server(one_server: Served) -> Served:
    return one_server


@pytest.fixture(autouse=True)
def still_there(server: Served) -> Iterator[None]:
    """Whatever a test sent, the next one is answered."""
    yield
    assert httpx.get(f"{server.address}/healthz", trust_env=False).status_code == 200


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
        assert status_of(connection.recv(65_536)) == 200
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX-Long: ".ljust(MAX_HEAD_BYTES + 1, b"x"))
        assert b"HTTP/1.1 431 " in read_all(connection)


def test_a_slow_head_is_given_up_however_steadily_it_drips(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_LIMIT_S", 0.3)
    answer = drip(server.port, b"GET /healthz HTTP/1.1\r\nX-Slow: ")
    assert status_of(answer) == 408


def test_a_connection_that_says_nothing_is_closed(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "HEAD_LIMIT_S", 0.1)
    assert send(server.port, []) == b""
