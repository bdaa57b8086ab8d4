"""One connection to one server of the directory. The only user of ldap3; it sets each default that is wrong here."""

import contextlib
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ldap3 import (
    BASE,
    DEREF_NEVER,
    IP_SYSTEM_DEFAULT,
    NO_ATTRIBUTES,
    NONE,
    SIMPLE,
    SUBTREE,
    SYNC,
    Connection,
    Server,
    Tls,
)
from ldap3.core.exceptions import LDAPInvalidFilterError, LDAPSessionTerminatedByServerError

from hub.auth.ldap_entries import REFUSALS, Entry, policy_refusal
from hub.auth.ldap_faults import FaultKind, ServerFault
from hub.auth.ldap_names import Address

# Result codes of RFC 4511. Those in `_NOT_LET_IN` mean: the password is wrong or the account may not log in.
SUCCESS, SIZE_LIMIT, REFERRAL, ADMIN_LIMIT, NO_SUCH_OBJECT = 0, 4, 10, 11, 32
CONSTRAINT, INVALID_DN, INAPPROPRIATE, INVALID_CREDENTIALS, UNWILLING = 19, 34, 48, 49, 53
_NOT_LET_IN = frozenset({CONSTRAINT, NO_SUCH_OBJECT, INVALID_DN, INAPPROPRIATE, INVALID_CREDENTIALS, UNWILLING})

# The control that makes OpenLDAP's ppolicy say why it refuses; a server that does not know the control ignores it.
POLICY_CONTROL = "1.3.6.1.4.1.42.2.27.8.5.1"

# X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED.
_OUT_OF_TIME = frozenset({9, 10})

# The time-out of one read and the server's time limit, in whole seconds. A login is bounded by cutting its attempt.
ANSWER_S = 5

_DATA = re.compile(r"\bdata ([0-9a-f]{1,8})\b")


@dataclass(frozen=True, slots=True)
class Bound:
    """The result of a bind. `why`: the reason for a refusal, if the server gives one."""

    ok: bool
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a search. `more`: there are more entries than were asked for, or than the server gives out."""

    entries: tuple[Entry, ...]
    more: bool


class _VerifiedTls(Tls):  # type: ignore[misc]  # ldap3 ships no types
    """TLS by a given context: ldap3's own verifies nothing unless told to, and always reloads the CA certificates."""

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = context
        # Kept here, since ldap3 passes on only its text.
        self.fault: Exception | None = None

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ARG002 - always done
        try:
            # Nagle and delayed ACK would add 40 ms between the end of the handshake and the next request.
            connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wrapped = self._context.wrap_socket(
                connection.socket, server_hostname=connection.server.host, do_handshake_on_connect=False
            )
            # From here on `cut` works, even during the handshake.
            connection.socket = wrapped
            wrapped.do_handshake()
        except Exception as error:
            self.fault = error
            raise


class Link:
    """A connection to one server. Not thread-safe, except `cut`. It closes itself once an answer fails to come."""

    def __init__(self, address: Address, context: ssl.SSLContext, within_s: float) -> None:
        """Opens nothing yet."""
        self.address = address
        self._tls = _VerifiedTls(context)
        server = Server(
            address.host,
            port=address.port,
            use_ssl=address.tls_first,
            tls=self._tls,
            allowed_referral_hosts=[],
            get_info=NONE,
            # Half, since a name may have two addresses, of which the first is dead.
            connect_timeout=within_s / 2,
            mode=IP_SYSTEM_DEFAULT,
        )
        self._connection = Connection(
            server,
            client_strategy=SYNC,
            auto_bind=False,
            auto_referrals=False,
            auto_range=False,
            auto_escape=False,
            auto_encode=False,
            check_names=False,
            read_only=True,
            raise_exceptions=False,
            return_empty_attributes=False,
            receive_timeout=ANSWER_S,
        )

    def open(self) -> None:
        """Connect. Nothing is sent before TLS is up and the server's certificate is verified."""
        with self._guarded(self._not_opened):
            self._connection.open(read_server_info=False)
            if not self.address.tls_first and not self._connection.start_tls(read_server_info=False):
                raise ssl.SSLError("StartTLS was refused")

    def bind(self, name: str, password: str) -> Bound:
        connection = self._connection
        with self._guarded(_lost):
            # As bytes: as text, ldap3 would send some passwords in another spelling.
            connection.user, connection.password, connection.authentication = name, password.encode(), SIMPLE
            try:
                connection.bind(read_server_info=False, controls=[(POLICY_CONTROL, False, None)])
            finally:
                connection.user = connection.password = connection.request = None
            result = connection.result
            code, message = int(result["result"]), str(result["message"])
            policy = (result.get("controls") or {}).get(POLICY_CONTROL)
            why = policy_refusal(policy["value"] or b"") if policy else None
        if code == SUCCESS:
            # After this bind, a person who must change their password may do nothing else: it counts as refused.
            return Bound(ok=why is None, why=why)
        if code in _NOT_LET_IN:
            data = _DATA.search(message)
            return Bound(ok=False, why=REFUSALS.get(data[1], data[1]) if data else why)
        raise self._refusal(code, str(result["description"]), "the bind")

    def search(
        self, base: str, matching: str, attributes: Sequence[str] = (), *, most: int, below: bool = True
    ) -> Found:
        """Return the entry at `base`; with `below`, all under it too. Raises ServerFault, also if `base` is missing."""
        connection = self._connection
        with self._guarded(_lost):
            connection.search(
                base,
                matching,
                search_scope=SUBTREE if below else BASE,
                dereference_aliases=DEREF_NEVER,
                attributes=list(attributes) or [NO_ATTRIBUTES],
                size_limit=most,
                time_limit=ANSWER_S,
            )
            code, description = int(connection.result["result"]), str(connection.result["description"])
            entries = tuple(
                Entry(each["dn"], {key.lower(): tuple(values or ()) for key, values in each["raw_attributes"].items()})
                for each in connection.response or ()
                # Entries on another server come as references: no referral is followed.
                if each["type"] == "searchResEntry"
            )
            connection.response = connection.request = None
        if code not in {SUCCESS, SIZE_LIMIT}:
            raise self._refusal(code, description, "the search")
        return Found(entries, more=code == SIZE_LIMIT)

    def who_am_i(self) -> str:
        """Return who the server takes the hub for: `dn:…` or `u:DOMAIN\\name`, RFC 4532; empty if anonymous."""
        with self._guarded(_lost):
            found = self._connection.extend.standard.who_am_i()
            return found.decode() if isinstance(found, bytes) else str(found or "")

    def cut(self) -> None:
        opened = self._connection.socket
        if opened is not None:
            # The plain socket's shutdown: ssl's own would drop the TLS session while another thread waits in it.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(opened, socket.SHUT_RDWR)

    def close(self) -> None:
        opened = self._connection.socket
        with contextlib.suppress(Exception):  # the server may be gone
            self._connection.unbind()
        if opened is not None:
            opened.close()

    @contextmanager
    def _guarded(self, words: "Any") -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - ldap3 passes on whatever its decoder raises at a broken answer
            self.close()
            kind, told = words(error)
            # Not `from error`, which may contain a request's values.
            raise ServerFault(kind, str(self.address), told) from None

    def _not_opened(self, error: Exception) -> tuple[FaultKind, str]:
        fault = self._tls.fault or error
        if isinstance(fault, ssl.SSLCertVerificationError):
            kind = FaultKind.TLS_TIME if fault.verify_code in _OUT_OF_TIME else FaultKind.TLS
            return kind, f"presents a certificate that is not trusted: {fault.verify_message}"
        if isinstance(fault, ssl.SSLError) or "startTLS" in str(fault):
            return FaultKind.NO_TLS, f"does not offer TLS: {getattr(fault, 'reason', None) or fault}"
        if isinstance(fault, LDAPSessionTerminatedByServerError):
            return FaultKind.NO_TLS, "does not offer TLS: it closed the connection in answer to StartTLS"
        return _not_reached(fault)

    def _refusal(self, code: int, description: str, what: str) -> ServerFault:
        """The fault for a server that answered, but with an error."""
        server = str(self.address)
        if code == REFERRAL:
            return ServerFault(FaultKind.REFERRAL, server, f"refers {what} to another server: the hub follows none")
        if code == NO_SUCH_OBJECT:
            return ServerFault(FaultKind.BASE, server, f"answers {what} with noSuchObject: that base does not exist")
        kind = FaultKind.LIMIT if code == ADMIN_LIMIT else FaultKind.REFUSED
        return ServerFault(kind, server, f"answers {what} with {description} ({code})")


def _not_reached(error: Exception) -> tuple[FaultKind, str]:
    history = error.args[1] if len(error.args) > 1 and isinstance(error.args[1], list) else None
    text = str(history[-1][0] if history else error)
    if "invalid server address" in text:
        return FaultKind.UNREACHED, "cannot be reached: no address is known for its name"
    if "timed out" in text:
        return FaultKind.TIMEOUT, "cannot be reached in time"
    return FaultKind.UNREACHED, f"cannot be reached: {text.rsplit('] ', maxsplit=1)[-1]}"


def _lost(error: Exception) -> tuple[FaultKind, str]:
    if isinstance(error, LDAPInvalidFilterError):
        return FaultKind.REFUSED, "is not asked: the filter in the site file is not valid"
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return FaultKind.TIMEOUT, "does not answer in time"
    # The class name only helps somebody who reads ldap3's code.
    cause = "" if isinstance(error, LDAPSessionTerminatedByServerError) else f" ({type(error).__name__})"
    return FaultKind.LOST, f"closed the connection{cause}"
