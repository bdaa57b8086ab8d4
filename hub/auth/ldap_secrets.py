"""What proves to the directory who the hub is, and to the hub who the directory is."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LdapSecrets:
    """The service account's password, empty where there is none.

    `ca_file`: the authority that signed the servers' certificates, where the system does not know it.
    """

    password: str = field(default="", repr=False)
    ca_file: Path | None = None
