"""Calls that fail, over real sockets: each fault is recognised and reported in one sentence that names nobody."""

import datetime as dt
import gzip
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hub.publik.answers import Answer, document, entries
from hub.publik.client import Client, Credentials, Limits
from hub.publik.faults import Fault, FaultKind
from hub.publik.names import Names, NameTimeout
from tests.publik.conftest import DAYS, FORM, PATIENT, QUICK, SECRETS, Opened, system_ms
from tests.publik.faults import Fault as Told
from tests.publik.proxy import TestProxy
from tests.publik.server import CLIENT, KEY, PASSWORD, TestPublik

LIST = f"/api/forms/{FORM}/list"
SIGNED = Credentials(CLIENT, key=KEY.encode())
BASIC = Credentials(CLIENT, password=PASSWORD)


class Nonces:
    """Counts, so that no two nonces are equal."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def __call__(self) -> str:
        self.given.append(f"nonce-{len(self.given)}")
        return self.given[-1]


def client(address: str, credentials: Credentials = SIGNED, limits: Limits = PATIENT, **more: object) -> Client:
    return Client(address, credentials, now_ms=system_ms, new_nonce=Nonces(), limits=limits, **more)  # type: ignore[arg-type]


@pytest.fixture
def calls(publik: TestPublik) -> Iterator[Client]:
    opened = client(publik.address)
    yield opened
    opened.close()


@pytest.fixture
def quick(publik: TestPublik) -> Iterator[Client]:
    opened = client(publik.address, limits=QUICK)
    yield opened
    opened.close()


def fault(ask: Client, path: str = LIST, method: str = "GET") -> Fault:
    with pytest.raises(Fault) as raised:
        entries(ask.get(path) if method == "GET" else ask.send(method, path))
    return raised.value


@pytest.mark.parametrize("credentials", [SIGNED, BASIC])
def test_a_key_or_a_password_lets_the_hub_in(publik: TestPublik, credentials: Credentials):
    asked = client(publik.address, credentials)
    assert entries(asked.get(LIST)) == []
    asked.close()


@pytest.mark.parametrize("credentials", [Credentials(CLIENT, key=b"x"), Credentials(CLIENT, password="x")])
def test_a_wrong_key_or_password_does_not(publik: TestPublik, credentials: Credentials):
    asked = client(publik.address, credentials)
    found = fault(asked)
    asked.close()
    assert (found.kind, found.status) == (FaultKind.DENIED, 403)


@pytest.mark.parametrize("value", ["a b", "é", "a+b&c=d%", "2020-01-03 10:00", "“x”", "/?#"])
def test_a_signed_query_arrives_as_it_was_signed(calls: Client, publik: TestPublik, value: str):
    """Otherwise w.c.s. would refuse the signature instead of complaining of an unknown filter."""
    with pytest.raises(Fault, match="HTTP 400: Invalid filter"):
        entries(calls.get(LIST, [("filter", value)]))


def test_no_session_is_kept_from_one_call_to_the_next(publik: TestPublik, calls: Client):
    for _ in range(2):
        assert entries(calls.get(LIST)) == []
    assert publik.cookies == []


def test_json_is_asked_for(calls: Client):
    assert calls.get("/api/forms/unknown/list").body.startswith(b"{")


def test_a_clock_that_is_off_by_more_than_half_a_minute_is_refused(publik: TestPublik, calls: Client):
    publik.town.clock_off_ms = 29_000
    assert entries(calls.get(LIST)) == []
    publik.town.clock_off_ms = 32_000
    assert fault(calls).description == "timestamp delta is more than 30 seconds"


def test_publiks_time_comes_with_its_answer(publik: TestPublik, calls: Client):
    publik.town.clock_off_ms = -20_000
    before = system_ms()
    answer = calls.get(LIST)
    assert answer.date_ms is not None
    assert before - 21_500 <= answer.as_of_ms <= answer.date_ms <= system_ms() - 19_000


def test_a_clock_ahead_of_the_hubs_leaves_no_change_out(publik: TestPublik, calls: Client):
    publik.town.clock_off_ms = 20_000
    answer = calls.get(LIST)
    assert answer.date_ms is not None
    assert answer.as_of_ms <= system_ms() < answer.date_ms


def test_the_time_is_that_of_the_question_however_slow_the_answer_is(publik: TestPublik, calls: Client):
    publik.faults.append(Told("slow", seconds=0.4))
    before = system_ms()
    answer = calls.get(LIST)
    assert answer.as_of_ms <= before + 300


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        (Told("status", status=500), FaultKind.BROKEN, "answered HTTP 500: something broke"),
        (Told("status", status=429), FaultKind.BROKEN, "answered HTTP 429: something broke"),
        (Told("html", status=502), FaultKind.BROKEN, "answered HTTP 502"),
        (Told("html", status=200), FaultKind.PAGE, "answered HTTP 200 with a page instead of JSON: check the address"),
        (Told("html", status=404), FaultKind.PAGE, "answered HTTP 404 with a page instead of JSON: check the address"),
        (Told("html", status=403), FaultKind.DENIED, "answered HTTP 403, access denied"),
        (Told("status", status=403), FaultKind.DENIED, "answered HTTP 403, access denied: something broke"),
        (Told("status", status=401), FaultKind.DENIED, "answered HTTP 401, access denied: something broke"),
        (Told("status", status=404), FaultKind.UNKNOWN, "answered HTTP 404, not known there: something broke"),
        (Told("status", status=400), FaultKind.INVALID, "answered HTTP 400: something broke"),
        (Told("err"), FaultKind.SAYS_NO, "says no: une erreur est survenue"),
        (Told("redirect"), FaultKind.REDIRECTED, "answered HTTP 302, a redirection to 127.0.0.1"),
        (Told("cut_quietly"), FaultKind.CUT, "with JSON that is invalid or cut short"),
        (Told("cut", times=2), FaultKind.CUT, "closed the connection before its answer was complete"),
        (Told("drop", times=2), FaultKind.CUT, "closed the connection before its answer was complete"),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Told) else None,
)
def test_each_fault_is_told_apart(publik: TestPublik, calls: Client, told: Told, kind: FaultKind, words: str):
    publik.town.book(FORM, "2026-11-25 10:00")
    publik.faults.append(told)
    found = fault(calls)
    assert (found.kind, found.sent) == (kind, True)
    assert str(found).startswith(f"{publik.address}{LIST} ")
    assert words in str(found)
    assert "signature" not in str(found)
    # The next call works.
    assert len(entries(calls.get(LIST))) == 1


@pytest.mark.parametrize("kind", ["hang", "drip", "drip_headers"])
def test_no_server_holds_a_call_beyond_its_deadline(publik: TestPublik, quick: Client, kind: str):
    """Each byte comes well within the read time-out, which alone would never end the call."""
    for _ in range(20):
        publik.town.book(FORM, "2026-11-25 10:00")
    publik.faults.append(Told(kind, seconds=0.02))
    began = system_ms()
    assert fault(quick).kind is FaultKind.TIMEOUT
    # Much less than the minutes that all bytes would take.
    assert system_ms() - began < 5_000
    assert len(entries(quick.get(LIST))) == 20


def test_a_list_is_asked_for_a_second_time_where_the_connection_broke_and_signed_anew(
    publik: TestPublik, calls: Client
):
    publik.faults.append(Told("drop"))
    assert entries(calls.get(LIST)) == []
    first, second = (query for _method, _path, query in publik.calls)
    assert "nonce=nonce-0" in first
    assert "nonce=nonce-1" in second
    assert first.partition("signature=")[2] != second.partition("signature=")[2]


def test_what_is_sent_is_never_sent_twice_by_itself(publik: TestPublik, calls: Client):
    publik.faults.append(Told("drop"))
    assert fault(calls, f"/{FORM}/1/jump/trigger/x/", "POST").kind is FaultKind.CUT
    assert len(publik.calls) == 1


def cut_short(publik: TestPublik, asked: Client) -> Fault:
    """The fault of a hanging call whose client is closed from another thread."""
    publik.faults.append(Told("hang"))
    found: list[Fault] = []
    calling = threading.Thread(target=lambda: found.append(fault(asked)))
    calling.start()
    assert publik.called.wait(10)
    asked.close()
    # Well before its read time-out of 20 s.
    calling.join(10)
    (told,) = found
    return told


def test_a_call_under_way_is_cut_short_where_the_hub_ends(publik: TestPublik):
    asked = client(publik.address)
    assert cut_short(publik, asked).kind is FaultKind.CUT
    assert len(publik.calls) == 1
    assert fault(asked).kind is FaultKind.UNREACHED


def test_a_call_that_only_looks_for_its_machine_when_the_hub_ends_opens_no_connection(publik: TestPublik):
    def look_up(_host: str, _port: int) -> list[str]:
        asked.close()
        return ["127.0.0.1"]

    asked = client(publik.address.replace("127.0.0.1", "publik.invalid"), look_up=look_up)
    found = fault(asked)
    assert (found.kind, found.sent) == (FaultKind.UNREACHED, False)
    assert publik.calls == []


def test_an_answer_that_is_too_big_is_not_taken(publik: TestPublik):
    for _ in range(30):
        publik.town.book(FORM, "2026-11-25 10:00")
    asked = client(publik.address, limits=Limits(answer_most_bytes=10_000))
    with pytest.raises(Fault) as raised:
        asked.get(LIST, [("full", "on")])
    asked.close()
    assert raised.value.kind is FaultKind.TOO_BIG


@pytest.mark.parametrize("packed", ["gzip, gzip", "br", "deflate"])
def test_an_answer_that_is_packed_otherwise_than_asked_for_is_not_unpacked(packed: str):
    """Compressed twice with gzip, 2 GB are 3 kB on the wire."""
    body = gzip.compress(gzip.compress(b"[]" * 1_000))
    with socket.create_server(("127.0.0.1", 0)) as odd:

        def serve() -> None:
            with odd.accept()[0] as connection:
                connection.recv(65_536)
                head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {packed}\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)

        thread = threading.Thread(target=serve)
        thread.start()
        asked = client(f"http://127.0.0.1:{odd.getsockname()[1]}")
        with pytest.raises(Fault, match="compressed its answer with a method other than gzip"):
            asked.send("POST", LIST)
        asked.close()
        thread.join()


def test_a_machine_that_takes_no_connection_is_not_reached():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        asked = client(f"http://127.0.0.1:{unused.getsockname()[1]}")
        found = fault(asked)
    asked.close()
    assert (found.kind, found.sent) == (FaultKind.UNREACHED, False)
    assert str(found).endswith("cannot be reached: it refused the connection")


def test_a_name_that_nobody_knows_is_told_so():
    asked = client("http://publik.invalid")
    found = fault(asked)
    asked.close()
    assert (found.kind, found.sent) == (FaultKind.UNREACHED, False)
    assert str(found).endswith("its host name is unknown")


def test_a_name_whose_look_up_hangs_holds_no_call_and_is_looked_up_once(publik: TestPublik):
    asked_for: list[str] = []
    answered = threading.Event()

    def look_up(host: str, _port: int) -> list[str]:
        asked_for.append(host)
        assert answered.wait(30)
        return ["127.0.0.1"]

    limits = Limits(connect_s=0.1, read_s=20.0, whole_s=30.0)
    asked = client(publik.address.replace("127.0.0.1", "publik.invalid"), limits=limits, look_up=look_up)
    for _ in range(3):
        found = fault(asked)
        assert (found.kind, found.sent) == (FaultKind.UNREACHED, False)
        assert str(found).endswith("cannot be reached: looking up its host name took more than 0.1 s")
    answered.set()
    asked.close()
    assert asked_for == ["publik.invalid"]


def test_a_name_that_was_looked_up_late_is_known_to_the_next_call():
    answered = threading.Event()

    def look_up(_host: str, _port: int) -> list[str]:
        assert answered.wait(30)
        return ["192.0.2.1"]

    names = Names(look_up)
    with pytest.raises(NameTimeout):
        names.addresses("publik.invalid", 443, 0.01)
    answered.set()
    assert names.addresses("publik.invalid", 443, 30) == ["192.0.2.1"]


def test_of_several_addresses_the_first_that_takes_a_connection_is_asked(publik: TestPublik):
    address = publik.address.replace("127.0.0.1", "publik.invalid")
    asked = client(address, look_up=lambda _host, _port: ["127.0.0.2", "127.0.0.1"])
    assert entries(asked.get(LIST)) == []
    asked.close()


def test_what_speaks_no_http_is_a_connection_that_broke():
    with socket.create_server(("127.0.0.1", 0)) as odd:

        def serve() -> None:
            for _ in range(2):
                connection, _address = odd.accept()
                with connection:
                    connection.recv(1_000)
                    connection.sendall(b"220 mail.example ESMTP\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        asked = client(f"http://127.0.0.1:{odd.getsockname()[1]}")
        found = fault(asked)
        asked.close()
        thread.join()
    assert found.kind is FaultKind.CUT


@pytest.mark.parametrize(
    "body",
    [b"[" * 100_000, b"[" * 100_000 + b"NaN", b'[{"a": NaN', b"[NaN, \xff]", b"\xff\xfe", b"", b'{"err": 0', b"[1,"],
)
def test_what_is_no_json_is_no_answer(body: bytes):
    with pytest.raises(Fault) as raised:
        entries(Answer("https://x/list", 200, body, 0))
    assert raised.value.kind is FaultKind.CUT


@pytest.mark.parametrize("odd", [b"NaN", b"-Infinity", b'"Zo\\ud83d"', b"1e999"])
def test_what_python_writes_for_json_and_nobody_else_reads_is_read_all_the_same(odd: bytes):
    """w.c.s. keeps other programs' answers and writes them with Python's JSON encoder."""
    (found,) = entries(Answer("https://x/list", 200, b'[{"id": 12, "kept": ' + odd + b"}]", 0))
    assert found["id"] == 12


@pytest.mark.parametrize("body", [b"{}", b'{"data": {}}', b"12", b'"x"', b"null"])
def test_json_that_is_no_list_is_odd(body: bytes):
    with pytest.raises(Fault) as raised:
        entries(Answer("https://x/list", 200, body, 0))
    assert raised.value.kind is FaultKind.ODD


@pytest.mark.parametrize("err", [b"1", b"2", b"true", b'"x"', b"{}", b"[]"])
def test_any_err_but_0_is_a_no(err: bytes):
    with pytest.raises(Fault) as raised:
        document(Answer("https://x", 200, b'{"err": ' + err + b', "err_class": "booking is cancelled"}', 0))
    assert (raised.value.kind, raised.value.description) == (FaultKind.SAYS_NO, "booking is cancelled")


def test_no_err_is_no_fault():
    assert document(Answer("https://x", 200, b'{"data": 1}', 0)) == {"data": 1}
    assert document(Answer("https://x", 200, b'{"err": null}', 0)) == {"err": None}


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://login:geheim@other.example/x", "other.example"),
        ("https://[login]/", "another page"),
        ("", "another page"),
    ],
)
def test_a_redirection_is_told_by_its_machine_alone(location: str, shown: str):
    with pytest.raises(Fault, match=f"a redirection to {shown}:") as raised:
        document(Answer("https://x", 302, b"", 0, location=location))
    assert raised.value.kind is FaultKind.REDIRECTED


def test_a_description_stays_in_one_line_and_short():
    body = b'{"err": 1, "err_desc": "a\\n\\u001b[31m' + b"b" * 1_000 + b'"}'
    with pytest.raises(Fault) as raised:
        document(Answer("https://x", 200, body, 0))
    assert raised.value.description.startswith("a [31mbbb")
    assert len(raised.value.description) == 200


# --- TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and its self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made-up authority")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def secure(certificate: Path) -> Iterator[TestPublik]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with TestPublik(tls=context) as running:
        running.town.add_form(FORM)
        yield running


def test_a_certificate_that_the_named_authority_signed_is_trusted(secure: TestPublik, certificate: Path):
    asked = client(secure.address, ca_file=certificate)
    assert entries(asked.get(LIST)) == []
    asked.close()


def test_a_certificate_that_nobody_knows_is_not(secure: TestPublik):
    asked = client(secure.address)
    found = fault(asked)
    asked.close()
    assert (found.kind, found.sent) == (FaultKind.TLS, False)
    assert "presents a certificate that is not trusted: self-signed certificate" in str(found)
    assert "SUIVANT_PUBLIK_CA_FILE" in str(found)
    assert secure.calls == []


def test_a_certificate_for_another_name_is_not(secure: TestPublik, certificate: Path):
    asked = client(secure.address.replace("127.0.0.1", "localhost"), ca_file=certificate)
    found = fault(asked)
    asked.close()
    assert found.kind is FaultKind.TLS
    assert "Hostname mismatch" in str(found)


def test_a_machine_that_speaks_no_tls_is_told_so(publik: TestPublik):
    asked = client(publik.address.replace("http:", "https:"))
    found = fault(asked)
    asked.close()
    assert (found.kind, found.sent) == (FaultKind.TLS, False)


def test_publik_is_reached_by_way_of_a_proxy(secure: TestPublik, certificate: Path):
    with TestProxy() as proxy:
        asked = client(secure.address, ca_file=certificate, proxy=proxy.address)
        assert entries(asked.get(LIST)) == []
        assert entries(asked.get(LIST)) == []
        asked.close()
        assert proxy.asked == [f"CONNECT {secure.address.removeprefix('https://')} HTTP/1.1"]
    assert len(secure.calls) == 2


def test_a_proxy_that_refuses_is_told_and_nothing_was_sent(secure: TestPublik, certificate: Path):
    with TestProxy(refuses="407 Proxy Authentication Required") as proxy:
        asked = client(secure.address, ca_file=certificate, proxy=proxy.address)
        found = fault(asked)
        asked.close()
    assert (found.kind, found.sent) == (FaultKind.UNREACHED, False)
    assert str(found).endswith(
        ", through the proxy, cannot be reached: the proxy says 407 Proxy Authentication Required"
    )


def test_a_proxy_that_is_not_there_is_told(secure: TestPublik, certificate: Path):
    asked = client(secure.address, ca_file=certificate, proxy="http://127.0.0.1:1")
    found = fault(asked)
    asked.close()
    assert str(found).endswith("/list, through the proxy, cannot be reached: it refused the connection")


def test_the_proxy_of_the_environment_is_no_concern_of_ours(publik: TestPublik, monkeypatch):
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    asked = client(publik.address)
    assert entries(asked.get(LIST)) == []
    asked.close()


def test_this_machine_is_asked_without_a_proxy(publik: TestPublik, opened: Opened):
    assert opened(secrets=replace(SECRETS, proxy="http://127.0.0.1:1")).list_all(*DAYS).complete


def test_a_tls_call_under_way_is_cut_short_too(secure: TestPublik, certificate: Path):
    asked = client(secure.address, ca_file=certificate)
    assert entries(asked.get(LIST)) == []
    secure.called.clear()
    assert cut_short(secure, asked).kind is FaultKind.CUT


def test_no_server_holds_a_tls_call_beyond_its_deadline(secure: TestPublik, certificate: Path):
    secure.faults.append(Told("drip_headers", seconds=0.02))
    asked = client(secure.address, limits=QUICK, ca_file=certificate)
    assert fault(asked).kind is FaultKind.TIMEOUT
    asked.close()
