"""Limits on the length and the time of a request's head, and on the time that a client takes to read an answer.

uvicorn's own protocol reads a head of any length, and waits for ever for its end and for an answer to be read: one
client could fill the memory, or hold every connection. uvicorn answers what it refuses with a bare line of text; here
it is a problem like any other.
"""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hub.web.guard import SECURITY_HEADERS
from hub.web.problems import problem

# The limit of other servers and proxies; a browser's head is a tenth of it.
MAX_HEAD_BYTES = 16 * 1024
# From the head's first byte, or from the connection if no byte comes: browsers open some connections ahead of need.
HEAD_LIMIT_S = 10.0
# While an answer waits to be read, the client must read some of it within this time.
WRITE_LIMIT_S = 10.0
# Requests that a client has sent ahead, before the answers to those in front of them. Browsers and proxies send none.
AHEAD_MOST = 16


class BoundedHttp(HttpToolsProtocol):
    """Closes a connection whose head is too long or too late, or whose client sends too much or reads too little."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._head_bytes = 0
        self._in_head = True
        self._too_late: asyncio.TimerHandle | None = None
        self._untaken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_watching()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        # A complete head is checked in `on_headers_complete`: the last bytes counted here may belong to a body.
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(431, "head_refused", f"a request's head may have at most {MAX_HEAD_BYTES} bytes")
        if self._is_between_requests() and self._too_late is None:
            # An empty line between two requests begins no request, but it has stopped uvicorn's keep-alive timer.
            self._wait()

    def _is_between_requests(self) -> bool:
        # After a WebSocket's handshake, another protocol has the connection.
        is_ours = self.transport.get_protocol() is self
        return is_ours and self._in_head and (self.cycle is None or self.cycle.response_complete)

    def on_message_begin(self) -> None:
        if self.transport.is_closing():
            # A segment may hold thousands of requests after the one that closed the connection.
            raise ConnectionAbortedError
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._stop_waiting()
        # 4 for a colon, a space and a line end.
        length = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if length > MAX_HEAD_BYTES:
            self._refuse(431, "head_refused", f"a request's head may have at most {MAX_HEAD_BYTES} bytes")
            return
        if self.parser.should_upgrade() and self._has_body():
            # After any Upgrade, even one that is not supported, the parser takes the message to end with its head: it
            # would read the body as the next request, and a proxy would give its answer to somebody else.
            self._refuse(400, "bad_request", "a request with an Upgrade header must not have a body")
            return
        if len(self.pipeline) == AHEAD_MOST:
            self.transport.close()
            self._watch()
            return
        super().on_headers_complete()
        is_socket = self.parser.should_upgrade() and self._should_upgrade()
        if not is_socket and self._has_doubtful_end():
            self.cycle.keep_alive = False

    def _has_doubtful_end(self) -> bool:
        """Whether a proxy may see another end of this request, so that later answers would go to the wrong requests.

        After an Upgrade, the parser drops the rest of the segment. After an Expect, a client whose request is refused
        may never send the body, and the parser would take the next request for it.
        """
        return self.parser.should_upgrade() or any(name == b"expect" for name, _ in self.headers)

    def _has_body(self) -> bool:
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
            for name, value in self.headers
        )

    def on_body(self, body: bytes) -> None:
        if not self.transport.is_closing():
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.transport.is_closing():
            super().on_message_complete()
        self._in_head = True

    def handle_websocket_upgrade(self) -> None:
        if self.transport.is_closing():
            return
        super().handle_websocket_upgrade()
        # The WebSocket protocol does not answer what it can't parse, such as a line over its own limit: it waits on.
        if not getattr(self.transport.get_protocol(), "handshake_initiated", False):
            self._refuse(400, "bad_request", "this is not a valid handshake of a WebSocket")

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()
        if not self._in_head and self.cycle.response_complete:
            # Answered before its body came: the client may still send the body, but not hold the connection by it.
            self._wait()

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "bad_request", msg)

    def _wait(self) -> None:
        self._stop_waiting()
        self._too_late = self.loop.call_later(HEAD_LIMIT_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    def _watch(self) -> None:
        """Watch whether the client reads. A closed connection stays until all was read, so it is watched too."""
        self._stop_watching()
        size = self.transport.get_write_buffer_size()
        self._untaken = self.loop.call_later(WRITE_LIMIT_S, self._judge_taking, size)

    def _stop_watching(self) -> None:
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def _judge_taking(self, size_before: int) -> None:
        """Abort the connection if as many bytes wait as before.

        A client that reads slowly stays connected, as does one that was sent more meanwhile. A WebSocket's reader is
        left to its own protocol.
        """
        size = self.transport.get_write_buffer_size()
        if not size or self.transport.get_protocol() is not self:
            return
        if size == size_before:
            self.transport.abort()
        else:
            self._watch()

    def _give_up(self) -> None:
        if self._head_bytes:
            self._refuse(408, "head_refused", f"a request's head must arrive within {HEAD_LIMIT_S:g} s")
        else:
            self.transport.close()

    def _refuse(self, status: int, code: str, detail: str) -> None:
        if self.transport.is_closing():
            return
        response = problem(status, code, detail)
        response.headers.update({**SECURITY_HEADERS, "cache-control": "no-store", "connection": "close"})
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        lines += [b"%s: %s" % header for header in response.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()
        self._watch()
