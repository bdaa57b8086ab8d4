"""The MQTT connection all programs share.

Threads meet in a queue: paho's callbacks only hand typed events over to `deliver`, which must not block. Each
connection has a paho client of its own, thrown away with it, so that nothing waits inside paho for a later connection:
a press that was not sent is not sent minutes later, and a network thread that died is replaced.
"""

import contextlib
import ipaddress
import random
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from time import monotonic_ns
from typing import Annotated, Any

from msgspec import Meta, Struct
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from protocol.environment import PREFIX, WrongSetting, read

BROKER_PREFIX = f"{PREFIX}BROKER_"

# A dead node's will is out 1.5 times this later: within the 30 s in which staff must see it.
KEEPALIVE_S = 15
CONNECT_TIMEOUT_S = 5.0
CONNACK_TIMEOUT_S = 10.0
RECONNECT_LEAST_S = 1.0
RECONNECT_MOST_S = 10.0
# Where two clients have one name, the broker pushes the one off when the other comes, and mosquitto does not say why.
# Each comes again within 10 s; after more than so many connections in a row that did not last, ever more seldom.
LASTING_MS = 15_000
BRIEF_MOST = 2
CLOSE_TIMEOUT_S = 1.0
# The hub tells 300 nodes and 200 desks at once; more than this waiting means that the broker does not take it.
OUTGOING_MOST = 4_000
INFLIGHT_MOST = 1_000


class BrokerSettings(Struct, frozen=True, kw_only=True):
    """How to reach the broker: with three files over TLS, with none plainly and then on this machine alone."""

    host: Annotated[str, Meta(description="name or address of the MQTT broker")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port of the MQTT broker")] = 1883
    ca_file: Annotated[Path | None, Meta(description="PEM file of the authority that signed the broker")] = None
    cert_file: Annotated[Path | None, Meta(description="PEM file of this program's own certificate")] = None
    key_file: Annotated[Path | None, Meta(description="PEM file of this program's own private key")] = None


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message; `arrived_ms` on this machine's monotonic clock. The payload may be anything, of any size."""

    topic: str
    payload: bytes
    retained: bool
    arrived_ms: int


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Connected, and every filter subscribed anew.

    `certificate_ends_s`: when the broker's certificate ends, in Unix time; None without TLS.
    """

    certificate_ends_s: int | None = None


@dataclass(frozen=True, slots=True)
class LinkDown:
    """A connection was lost or an attempt failed; the next attempt follows by itself. `lasted`: it was up for 15 s."""

    reason: str
    lasted: bool = False


@dataclass(frozen=True, slots=True)
class PublishRefused:
    """The broker took a message and threw it away: its ACL does not let us write there."""

    reason: str


LinkEvent = Incoming | LinkUp | LinkDown | PublishRefused


@dataclass(frozen=True, slots=True)
class Publication:
    """A retained message for `will` and `close`."""

    topic: str
    payload: bytes


@dataclass(slots=True)
class _Connection:
    """One paho client from its connect to its end. `accepted`: the broker took it; `up`: it took the filters too."""

    client: Client
    accepted: bool = False
    up: bool = False
    up_since_ms: int | None = None
    subscription: int | None = None
    reason: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.accepted = self.up = False
        self.over.set()


def monotonic_ms() -> int:
    return monotonic_ns() // 1_000_000


def read_broker_settings(environ: Mapping[str, str]) -> BrokerSettings:
    """Raises WrongSetting where a value is wrong, one of the three files is missing, or a plain host is elsewhere."""
    settings = read(BrokerSettings, environ, prefix=BROKER_PREFIX)
    files = {"CA_FILE": settings.ca_file, "CERT_FILE": settings.cert_file, "KEY_FILE": settings.key_file}
    missing = [name for name, path in files.items() if path is None]
    if len(missing) == len(files):
        _refuse_plain_abroad(settings.host)
        return settings
    if missing:
        raise WrongSetting(BROKER_PREFIX + missing[0], None, "a file, as CA_FILE, CERT_FILE and KEY_FILE go together")
    _tls_context(settings)
    return settings


def _refuse_plain_abroad(host: str) -> None:
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        wanted = f"this machine (127.0.0.1) unless {BROKER_PREFIX}CA_FILE, CERT_FILE and KEY_FILE are set"
        raise WrongSetting(f"{BROKER_PREFIX}HOST", host, wanted)


def _tls_context(settings: BrokerSettings) -> ssl.SSLContext | None:
    if settings.ca_file is None or settings.cert_file is None:
        return None
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=settings.ca_file)
    except OSError as error:
        wanted = f"a readable PEM file ({error})"
        raise WrongSetting(f"{BROKER_PREFIX}CA_FILE", str(settings.ca_file), wanted) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    except OSError as error:
        wanted = f"a readable PEM file that belongs to {BROKER_PREFIX}KEY_FILE, {settings.key_file} ({error})"
        raise WrongSetting(f"{BROKER_PREFIX}CERT_FILE", str(settings.cert_file), wanted) from error
    return context


@lru_cache(maxsize=32)
def _expiry(expiry_s: int) -> Properties:
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.MessageExpiryInterval = expiry_s
    return properties


def _session(session_s: int) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = session_s
    return properties


class Link:
    """A connection to the broker that comes back by itself.

    `name` is the client id, and the user name where the broker is reached plainly. `deliver` takes each LinkEvent on
    another thread. All methods may be called from any thread, before and after `start`.

    `session_s`: for how long after a connection was lost the broker keeps what comes at QoS 1, until it expires or the
    next connection takes it. What another run of this program had coming is not taken.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        name: str,
        deliver: Callable[[LinkEvent], None],
        *,
        will: Publication | None = None,
        session_s: int = 0,
        jitter: Callable[[], float] = random.random,
        clock_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._settings = settings
        self._name = name
        self._deliver = deliver
        self._will = will
        self._session_s = session_s
        self._was_accepted = False
        self._jitter = jitter
        self._clock_ms = clock_ms
        self._tls = _tls_context(settings)
        self._filters: dict[str, int] = {}
        self._lock = threading.Lock()
        self._connection: _Connection | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def connected(self) -> bool:
        connection = self._connection
        return connection is not None and connection.up

    def subscribe(self, filters: Iterable[str], *, qos: int = 1) -> None:
        """Now where connected, and again at each connection. Their retained messages come each time."""
        with self._lock:
            new = [each for each in filters if each not in self._filters]
            self._filters |= dict.fromkeys(new, qos)
            connection = self._connection
            if new and connection is not None and connection.accepted:
                connection.client.subscribe([(each, SubscribeOptions(qos=qos)) for each in new])

    def unsubscribe(self, filters: Iterable[str]) -> None:
        with self._lock:
            old = [each for each in filters if self._filters.pop(each, None) is not None]
            connection = self._connection
            if old and connection is not None and connection.accepted:
                connection.client.unsubscribe(old)

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, expiry_s: int | None = None
    ) -> bool:
        """True where the message was handed to a living connection. Otherwise False, and nothing of it is kept."""
        connection = self._connection
        if connection is None or not connection.up:
            return False
        properties = None if expiry_s is None else _expiry(expiry_s)
        sent = connection.client.publish(topic, payload, qos, retain, properties)
        return sent.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def reconnect(self, reason: str) -> None:
        """Throws the present connection away; the next follows within a second or so."""
        connection = self._connection
        if connection is not None:
            connection.end(reason)

    def close(self, last: Publication | None = None) -> None:
        """Says `last` (retained) where there is a connection, takes leave and ends; no will is sent then."""
        self._closing.set()
        connection = self._connection
        if connection is not None and connection.up:
            _take_leave(connection, last)
        if connection is not None:
            connection.end("closed")
        if self._thread.is_alive():
            self._thread.join(CONNECT_TIMEOUT_S + CLOSE_TIMEOUT_S)

    def _run(self) -> None:
        delay_s, brief = RECONNECT_LEAST_S, 0
        while not self._closing.is_set():
            reason, lived_ms = self._serve()
            was_up, lasted = lived_ms is not None, lived_ms is not None and lived_ms >= LASTING_MS
            brief = 0 if lasted else brief + was_up
            good = was_up and brief <= BRIEF_MOST
            if was_up and not good:
                reason = f"{reason}, as each time soon after it was up: is another client called {self._name}?"
            self._deliver(LinkDown(reason, lasted))
            delay_s = RECONNECT_LEAST_S if good else min(2 * delay_s, RECONNECT_MOST_S)
            # A broker that comes back is not met by 300 nodes in the same instant.
            self._closing.wait(max(RECONNECT_LEAST_S, delay_s * (0.5 + self._jitter() / 2)))

    def _serve(self) -> tuple[str, int | None]:
        """One connection from its connect to its end: why it ended, and for how long it was up, if ever."""
        connection = self._open()
        try:
            connection.client.connect(
                self._settings.host,
                self._settings.port,
                keepalive=KEEPALIVE_S,
                clean_start=not (self._session_s and self._was_accepted),
                properties=_session(self._session_s),
            )
        except (OSError, ValueError) as error:
            _cut(connection.client)
            return f"cannot reach {self._settings.host}:{self._settings.port}: {error}", None
        # Before its thread runs: whoever hears LinkUp may publish at once.
        self._connection = connection
        if self._closing.is_set():  # meanwhile, and nobody could end a connection that was not there yet
            connection.end("closed")
        connection.client.loop_start()
        if not connection.over.wait(CONNACK_TIMEOUT_S) and not connection.up:
            connection.end("the broker did not answer")
        connection.over.wait()
        self._connection = None
        _cut(connection.client)
        lived_ms = None if connection.up_since_ms is None else self._clock_ms() - connection.up_since_ms
        return connection.reason, lived_ms

    def _open(self) -> _Connection:
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._name,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        connection = _Connection(client)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(INFLIGHT_MOST)
        client.max_queued_messages_set(OUTGOING_MOST)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        else:
            client.username_pw_set(self._name)
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=True)
        self._set_callbacks(connection)
        return connection

    def _set_callbacks(self, connection: _Connection) -> None:
        """An exception in a callback would kill paho's thread while it goes on to say that it is connected."""
        client, guarded = connection.client, partial(_guarded, connection)
        client.on_socket_open = guarded(lambda _client, _data, opened: _without_delay(opened))
        client.on_connect = guarded(lambda _client, _data, _flags, code, _more: self._answered(connection, code))
        client.on_disconnect = guarded(lambda _client, _data, _flags, code, _more: self._lost(connection, code))
        client.on_subscribe = guarded(lambda _client, _data, mid, _codes, _more: self._subscribed(connection, mid))
        client.on_message = guarded(lambda _client, _data, message: self._arrived(connection, message))
        client.on_publish = guarded(lambda _client, _data, _mid, code, _more: self._published(code))

    def _answered(self, connection: _Connection, code: ReasonCode) -> None:
        if code.is_failure:
            connection.end(f"the broker refused the connection: {code}")
            return
        with self._lock:
            connection.accepted = not connection.over.is_set()
            self._was_accepted |= connection.accepted
            wanted = [(each, SubscribeOptions(qos=qos)) for each, qos in self._filters.items()]
            if wanted:
                _, connection.subscription = connection.client.subscribe(wanted)
        if not wanted:
            self._up(connection)

    def _lost(self, connection: _Connection, code: ReasonCode) -> None:
        if self._tls is None or connection.accepted:
            connection.end(f"the connection was lost: {code}")
            return
        # With TLS 1.3 the broker looks at it when the handshake is over for us, and its alert never comes up to here.
        connection.end(
            "the broker hung up before it answered: it may not take this program's certificate, which ended or is of "
            "another authority; the broker's log says why"
        )

    def _subscribed(self, connection: _Connection, mid: int) -> None:
        if mid == connection.subscription:
            self._up(connection)

    def _up(self, connection: _Connection) -> None:
        connection.up = not connection.over.is_set()
        if connection.up:
            connection.up_since_ms = self._clock_ms()
            self._deliver(LinkUp(_certificate_end(connection.client.socket())))

    def _arrived(self, connection: _Connection, message: MQTTMessage) -> None:
        if connection.over.is_set():
            return
        # A topic that is not UTF-8 is none that anybody of ours wrote.
        with contextlib.suppress(UnicodeDecodeError):
            topic, payload = message.topic, bytes(message.payload)
            self._deliver(Incoming(topic, payload, message.retain, self._clock_ms()))

    def _published(self, code: ReasonCode) -> None:
        if code.is_failure:
            self._deliver(PublishRefused(str(code)))


def _without_delay(opened: socket.socket) -> None:
    # Nagle's algorithm and delayed ACK add 44 ms each way.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _certificate_end(opened: Any) -> int | None:
    certificate = opened.getpeercert() if isinstance(opened, ssl.SSLSocket) else None
    return int(ssl.cert_time_to_seconds(str(certificate["notAfter"]))) if certificate else None


def _guarded(connection: _Connection, callback: Callable[..., None]) -> Callable[..., None]:
    def guarded(*arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever it is, this connection ends and the next starts afresh
            connection.end(f"a callback failed: {error!r}")

    return guarded


def _take_leave(connection: _Connection, last: Publication | None) -> None:
    try:
        if last is not None:
            connection.client.publish(last.topic, last.payload, 1, True).wait_for_publish(CLOSE_TIMEOUT_S)
        connection.client.disconnect()
    except (RuntimeError, ValueError):
        return  # the connection went away first; the broker sends the will
    connection.over.wait(CLOSE_TIMEOUT_S)


def _cut(client: Client) -> None:
    """Ends the client's thread at once, also on a link that hangs with messages under way."""
    opened = client.socket()
    if opened is not None:
        with contextlib.suppress(OSError):
            # SSLSocket's own shutdown would take the TLS object away under the reading thread.
            socket.socket.shutdown(opened, socket.SHUT_RDWR)  # type: ignore[arg-type]
    client.loop_stop()
    # Without its callbacks nothing points back at it: its sockets are closed now, not when memory is next tidied.
    client.on_socket_open = client.on_connect = client.on_disconnect = None
    client.on_subscribe = client.on_message = client.on_publish = None
