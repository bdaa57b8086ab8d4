"""The HTTP client for one program of Publik: signed or with a password, one call at a time, with limits on each."""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from socket import gaierror
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec

from hub.publik.answers import Answer
from hub.publik.deadline import Deadline, DeadlineTransport
from hub.publik.faults import Fault, FaultKind, clean
from hub.publik.names import LookUp, NameTimeout, system_addresses
from hub.publik.signature import sign

Query = Sequence[tuple[str, str]]

# OpenSSL's codes for a certificate whose authority the system does not know.
_UNKNOWN_AUTHORITY = range(18, 22)
_OF_UNKNOWN_AUTHORITY = "; if its authority is your own, name the authority's certificate in SUIVANT_PUBLIK_CA_FILE"


@dataclass(frozen=True, slots=True)
class Credentials:
    """`key` signs each call; without one, `password` is sent by HTTP Basic."""

    client: str
    key: bytes = field(default=b"", repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """`whole_s`: for a whole call, from its first byte to the answer's last, a second try included.

    `answer_most_bytes`: 500 requests of a form with all their fields take about 2 MB.
    """

    connect_s: float = 5.0
    read_s: float = 10.0
    whole_s: float = 30.0
    answer_most_bytes: int = 32_000_000


LIMITS = Limits()


class Client:
    """Calls one program of Publik, below `address`. Not thread-safe, except `close`."""

    def __init__(
        self,
        address: str,
        credentials: Credentials,
        *,
        now_ms: Callable[[], int],
        new_nonce: Callable[[], str],
        ca_file: Path | None = None,
        proxy: str = "",
        limits: Limits = LIMITS,
        look_up: LookUp = system_addresses,
    ) -> None:
        self.address = address.rstrip("/")
        self._way = ", through the proxy," if proxy else ""
        self._credentials = credentials
        self._now_ms = now_ms
        self._new_nonce = new_nonce
        self._limits = limits
        self._deadline = Deadline()
        self._closed = False
        self._transport = DeadlineTransport(self._deadline, _trusting(ca_file), proxy, look_up)
        self._http = httpx.Client(
            transport=self._transport,
            timeout=httpx.Timeout(limits.read_s, connect=limits.connect_s),
            # A redirected call would arrive without its signature, or too late for it.
            follow_redirects=False,
            # No cookies: with a session, a call would no longer be judged by its signature alone.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            # No password from the environment, and no proxy but the configured one.
            trust_env=False,
            # w.c.s. answers errors as pages unless JSON is asked for.
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "suivant"},
        )

    def close(self) -> None:
        """Cut the current call short and let no other begin. May be called from any thread."""
        self._closed = True
        self._transport.cut()
        self._http.close()

    def get(self, path: str, query: Query = ()) -> Answer:
        """Return the answer, whatever its status. Raises Fault if there is none."""
        self._deadline.begin(self._limits.whole_s)
        try:
            return self._call("GET", path, query, None)
        except Fault as fault:
            # The server may close a kept connection just as it is used again.
            if fault.kind is not FaultKind.CUT or self._closed:
                raise
            return self._call("GET", path, query, None)

    def send(self, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        """Send once, without a retry, since it may already have been done. Raises Fault if there is no answer."""
        self._deadline.begin(self._limits.whole_s)
        return self._call(method, path, (), body)

    def _call(self, method: str, path: str, query: Query, body: dict[str, Any] | None) -> Answer:
        place = f"{self.address}{path}"
        if self._closed:
            raise Fault(FaultKind.UNREACHED, f"{place} is no longer called: the hub is stopping", sent=False)
        content = None if body is None else msgspec.json.encode(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        asked_ms, began_s = self._now_ms(), time.monotonic()
        try:
            # The finished URL: httpx re-encodes a query given as parameters, which would break the signature.
            with self._http.stream(
                method, self._url(place, query), content=content, headers=headers, auth=self._auth()
            ) as response:
                date_ms = _date_ms(response.headers.get("Date", ""))
                elapsed_ms = int((time.monotonic() - began_s) * 1000)
                # The earlier of the two: a proxy's clock may be ahead, and reading a change twice does no harm.
                as_of_ms = asked_ms if date_ms is None else min(asked_ms, date_ms - elapsed_ms)
                whole = self._whole(place, response)
        except httpx.TransportError as error:
            raise self._fault(f"{place}{self._way}", error) from error
        except httpx.DecodingError as error:
            raise Fault(FaultKind.CUT, f"{place} sent an answer that cannot be decompressed") from error
        return Answer(place, response.status_code, whole, as_of_ms, date_ms, response.headers.get("Location", ""))

    def _url(self, place: str, query: Query) -> str:
        own = self._credentials
        if own.key:
            signed = sign(query, key=own.key, client=own.client, now_ms=self._now_ms(), nonce=self._new_nonce())
            return f"{place}?{signed}"
        return f"{place}?{urlencode(query)}" if query else place

    def _auth(self) -> httpx.BasicAuth | None:
        own = self._credentials
        return None if own.key else httpx.BasicAuth(own.client.encode(), own.password.encode())

    def _whole(self, place: str, response: httpx.Response) -> bytes:
        most = self._limits.answer_most_bytes
        if response.headers.get("Content-Encoding", "identity").lower() not in {"identity", "gzip"}:
            # Compressed twice, a few kB can unpack to gigabytes before their length can be checked.
            raise Fault(FaultKind.CUT, f"{place} compressed its answer with a method other than gzip")
        whole = bytearray()
        for part in response.iter_bytes():
            whole += part
            if len(whole) > most:
                raise Fault(FaultKind.TOO_BIG, f"{place} sent more than {most // 1_000_000} MB")
        return bytes(whole)

    def _fault(self, place: str, error: httpx.TransportError) -> Fault:
        causes = tuple(_causes(error))
        if isinstance(error, httpx.ConnectTimeout | httpx.ConnectError):
            return _unconnected(place, causes, self._limits.connect_s)
        if isinstance(error, httpx.ProxyError):
            sentence = f"{place} cannot be reached: the proxy says {clean(error)}"
            return Fault(FaultKind.UNREACHED, sentence, sent=False)
        if isinstance(error, httpx.TimeoutException):
            return Fault(FaultKind.TIMEOUT, f"{place} did not send a complete answer in time")
        return Fault(FaultKind.CUT, f"{place} closed the connection before its answer was complete")


@cache
def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    """Load the CA certificates once per process: it takes 10 ms, and w.c.s. and Chrono have a client each."""
    return ssl.create_default_context(cafile=ca_file)


def _unconnected(place: str, causes: Sequence[BaseException], connect_s: float) -> Fault:
    """The fault of a failed connection. Nothing was sent yet, so `sent` is False."""
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            advice = _OF_UNKNOWN_AUTHORITY if cause.verify_code in _UNKNOWN_AUTHORITY else ""
            sentence = f"{place} presents a certificate that is not trusted: {cause.verify_message}{advice}"
            return Fault(FaultKind.TLS, sentence, sent=False)
        if isinstance(cause, ssl.SSLError):
            return Fault(FaultKind.TLS, f"{place} does not offer TLS that the hub supports", sent=False)
        if isinstance(cause, gaierror):
            return Fault(FaultKind.UNREACHED, f"{place} cannot be reached: its host name is unknown", sent=False)
        if isinstance(cause, NameTimeout):
            sentence = f"{place} cannot be reached: looking up its host name took more than {connect_s:g} s"
            return Fault(FaultKind.UNREACHED, sentence, sent=False)
    if isinstance(causes[0], httpx.ConnectTimeout):
        sentence = f"{place} cannot be reached: no connection within {connect_s:g} s"
        return Fault(FaultKind.UNREACHED, sentence, sent=False)
    return Fault(FaultKind.UNREACHED, f"{place} cannot be reached: it refused the connection", sent=False)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _date_ms(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp()) * 1000
    except (ValueError, OverflowError):
        return None
