"""Faults between the hub and a server of the directory. Their messages name no person."""

from enum import StrEnum


class FaultKind(StrEnum):
    UNREACHED = "unreached"
    # In this order: certificate not trusted; expired or not yet valid; no TLS at all.
    TLS = "tls"
    TLS_TIME = "tls_time"
    NO_TLS = "no_tls"
    TIMEOUT = "timeout"
    LOST = "lost"
    ACCOUNT = "account"
    BASE = "base"
    REFERRAL = "referral"
    # A search would read more entries than the account may look through.
    LIMIT = "limit"
    REFUSED = "refused"


class ServerFault(Exception):
    """A server gave no answer that can be trusted. `str()` is a sentence: which server, and why."""

    def __init__(self, kind: FaultKind, server: str, words: str) -> None:
        super().__init__(f"{server} {words}")
        self.kind = kind
        self.server = server
        self.words = words
