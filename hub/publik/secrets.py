"""What proves to Publik who the hub is, and to the hub who Publik is."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Secrets:
    """The API client's key, for signatures out and in, and its password for HTTP Basic; empty where there is none.

    `ca_file`: the authority that signed Publik's certificate, where the system does not know it. `proxy`: by way of
    which machine Publik is reached, `http://host:port`, where it is not reached directly.
    """

    key: bytes = field(default=b"", repr=False)
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    proxy: str = ""
