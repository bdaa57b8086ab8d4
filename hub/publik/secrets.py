"""The secrets by which the hub and Publik recognize each other."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Secrets:
    """`key`: the API client's, for signatures both ways. `password`: for HTTP Basic. Each is empty if there is none.

    `ca_file`: the CA that signed Publik's certificate, if the system does not trust it already. `proxy`: the proxy to
    reach Publik through, `http://host:port`, empty for none.
    """

    key: bytes = field(default=b"", repr=False)
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    proxy: str = ""
