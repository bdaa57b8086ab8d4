"""The secrets by which the hub and the directory's servers recognize each other."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LdapSecrets:
    """`password`: the service account's, empty if there is none.

    `ca_file`: the CA that signed the servers' certificates, if the system does not trust it already.
    """

    password: str = field(default="", repr=False)
    ca_file: Path | None = None
