"""A Publik to test against: w.c.s. at the address itself, Chrono below `/chrono`, a control API below `/control`.

    python tests/publik/server.py --port 0 --key-file FILE --form rendez-vous

prints one line, `{"address": "http://127.0.0.1:PORT"}`, and serves until it is stopped.
"""

import argparse
import base64
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from tests.publik import signing
from tests.publik.chrono_side import chrono
from tests.publik.control import control
from tests.publik.faults import Fault, take
from tests.publik.keeping import restore, save
from tests.publik.pushing import Pushing
from tests.publik.replies import Reply, Request, answer, denied, page
from tests.publik.town import Town
from tests.publik.wcs_side import wcs

KEY, PASSWORD, CLIENT = "made-up-key", "made-up-password", "suivant"
HANG_S = 60


class TestPublik:
    """A context manager that serves from its own threads until it is left.

    `calls` holds each call's method, path and query; `faults` the faults to show, see `tests.publik.faults`.
    """

    __test__ = False

    def __init__(
        self, *, port=0, key=KEY, password=PASSWORD, client=CLIENT, town=None, tls: ssl.SSLContext | None = None
    ):
        self.town = town or Town()
        self.key, self.password, self.client = key, password, client
        self.calls: list[tuple[str, str, str]] = []
        self.faults: list[Fault] = []
        # The cookies that callers sent.
        self.cookies: list[str] = []
        self.kept_in: Path | None = None
        self.stopping = threading.Event()
        # Set when a call has arrived.
        self.called = threading.Event()
        self.nonces = signing.Nonces()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.publik = self
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.address = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}"
        self.pushing = Pushing(self.town, self.address, key)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.pushing.stop()
        self._server.shutdown()
        self._server.server_close()

    def reply(self, request: Request, raw_query: str, authorization: str) -> Reply:
        reply = self._reply(request, raw_query, authorization)
        if self.kept_in and request.method != "GET":
            save(self.town, self.kept_in)
        return reply

    def _reply(self, request: Request, raw_query: str, authorization: str) -> Reply:
        if request.path.startswith("/control/"):
            return control(self, request)
        try:
            self._let_in(raw_query, authorization)
        except signing.Denied as error:
            return denied(request, str(error))
        chronos = request.path.removeprefix("/chrono")
        if chronos != request.path:
            found = chrono(self.town, Request(request.method, chronos, request.query, request.body, request.json))
        else:
            found = wcs(self.town, request)
        return found or page(404, "Page non trouvée")

    def _let_in(self, raw_query: str, authorization: str) -> None:
        if self.town.switches.authentic_away:
            raise signing.Denied("User not authenticated.")
        if "signature=" in raw_query:
            with self.town.lock:
                signing.check(raw_query, {self.client: self.key}, self.nonces, self.town.now_ms() / 1000)
            return
        # [code] HTTP Basic: the user name is the client's identifier.
        wanted = base64.b64encode(f"{self.client}:{self.password}".encode()).decode()
        if authorization != f"Basic {wanted}":
            raise signing.Denied("User not authenticated.")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    publik: TestPublik

    def handle_error(self, request, client_address):
        """Ignore callers that have closed the connection."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    # Buffered, because Nagle and delayed ACK add 40 ms to an answer sent in two parts.
    wbufsize = -1

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return super().date_time_string(self.server.publik.town.now_ms() / 1000 if timestamp is None else timestamp)

    def do_GET(self):
        publik = self.server.publik
        path, _, raw_query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        wants_json = "application/json" in self.headers.get("Accept", "")
        body = self.rfile.read(length)
        request = Request(self.command, path, parse_qs(raw_query, keep_blank_values=True), body, wants_json)
        fault = None
        if not path.startswith("/control/"):
            with publik.town.lock:
                publik.calls.append((self.command, path, raw_query))
                publik.cookies += self.headers.get_all("Cookie", [])
                fault = take(publik.faults, path)
            publik.called.set()
        if fault is None:
            self._send(publik.reply(request, raw_query, self.headers.get("Authorization", "")))
            return
        reply = None
        if fault.works or fault.kind in {"slow", "drip", "drip_headers", "cut", "cut_quietly"}:
            reply = publik.reply(request, raw_query, self.headers.get("Authorization", ""))
        self._send_badly(fault, reply or page(200, ""))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def _send(self, reply, *, length=None, body=None):
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        # [infer] As any site with sessions does.
        self.send_header("Set-Cookie", "sessionid=made-up; Path=/")
        if length is None:
            length = len(reply.body)
        if length >= 0:
            self.send_header("Content-Length", str(length))
        else:
            self.send_header("Connection", "close")
        if reply.location:
            self.send_header("Location", reply.location)
        self.end_headers()
        self.wfile.write(reply.body if body is None else body)
        self.wfile.flush()

    def _send_badly(self, fault, reply):
        stopping = self.server.publik.stopping
        match fault.kind:
            case "slow":
                stopping.wait(fault.seconds)
                self._send(reply)
            case "status":
                error = {"err": 1, "err_class": "Internal error", "err_code": "internal", "err_desc": "something broke"}
                self._send(answer(error, fault.status))
            case "html":
                self._send(page(fault.status, "Maintenance en cours"))
            case "err":
                self._send(answer({"err": 1, "err_class": "some error", "err_desc": "une erreur est survenue"}))
            case "redirect":
                self._send(Reply(302, b"", "text/html", f"{self.server.publik.address}/login/"))
            case _:
                self.close_connection = True
                self._break(fault, reply, stopping)

    def _break(self, fault, reply, stopping):
        half = reply.body[: len(reply.body) // 2]
        match fault.kind:
            case "hang":
                stopping.wait(HANG_S)
            case "cut":
                self._send(reply, body=half)
            case "cut_quietly":
                self._send(reply, length=-1, body=half)
            case "drip":
                self._send(reply, body=b"")
                self._drip(reply.body, fault.seconds, stopping)
            case "drip_headers":
                self._drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000, fault.seconds, stopping)

    def _drip(self, data, seconds, stopping):
        for byte in data:
            if stopping.wait(seconds):
                return
            self.wfile.write(bytes([byte]))
            self.wfile.flush()


def main():
    parser = argparse.ArgumentParser(description="Serves a made-up Publik on this machine.")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--key-file", type=Path, help="its first line is the client's key")
    parser.add_argument("--client", default=CLIENT, help="the client's identifier")
    parser.add_argument("--zone", default="Europe/Paris", help="of its naive times")
    parser.add_argument("--form", action="append", default=[], help="slug of a form that is there from the start")
    parser.add_argument("--push-to", help="address of a hub that is called at each change")
    parser.add_argument("--keep", type=Path, help="file that keeps what it knows from one start to the next")
    options = parser.parse_args()
    key = options.key_file.read_text(encoding="utf-8").partition("\n")[0] if options.key_file else KEY
    town = Town(zone=options.zone)
    if options.keep:
        restore(town, options.keep)
    for slug in options.form:
        town.add_form(slug)
    with TestPublik(port=options.port, key=key, client=options.client, town=town) as publik:
        publik.pushing.to = options.push_to
        publik.kept_in = options.keep
        print(json.dumps({"address": publik.address}), flush=True)  # noqa: T201 - a program's one line
        try:
            publik.stopping.wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
