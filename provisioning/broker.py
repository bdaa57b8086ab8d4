"""Writes mosquitto's configuration and its ACL from the templates in `mosquitto/`, for 2.0.11 and newer."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template

TEMPLATES = Path(__file__).parent.parent / "mosquitto"

Version = tuple[int, int, int]

OLDEST: Version = (2, 0, 11)
# From this version on, `acl_file` is deprecated and a plugin reads the same file.
ACL_BY_PLUGIN: Version = (2, 1, 0)
ACL_PLUGIN = "mosquitto_acl_file.so"
# Debian's package has plugins in a folder of the machine's architecture, mosquitto's own installation beside other
# libraries.
PLUGIN_FOLDERS = (
    "usr/lib/*/mosquitto",
    "usr/lib/mosquitto",
    "usr/lib/*",
    "usr/lib",
    "usr/local/lib/*",
    "usr/local/lib",
)


class WrongTemplate(ValueError):
    """A template with a block that is not closed, or an `%else` or `%end` outside a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files, which the broker's user must be able to read."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPlan:
    """One broker. Without `tls` it listens on this machine only.

    - `folder`: where its files are written.
    - `user`: the user that a broker started by root switches to; mosquitto's own default is `mosquitto`.
    - `observers`: client names that may read all topics of the site, for tests and measurements.
    - `acl_plugin`: path of the plugin of mosquitto 2.1 or newer; searched for on this machine if None.
    """

    site: str
    port: int
    folder: Path
    tls: TlsFiles | None = None
    bind: str = "127.0.0.1"
    version: Version = OLDEST
    user: str | None = None
    observers: tuple[str, ...] = ()
    acl_plugin: Path | None = None

    def __post_init__(self) -> None:
        if self.version < OLDEST:
            raise ValueError(f"mosquitto {_dotted(self.version)} is too old: {_dotted(OLDEST)} or newer is needed")
        if self.tls is None and self.bind not in {"127.0.0.1", "::1", "localhost"}:
            raise ValueError(
                f"a broker without TLS must not listen on {self.bind}: give it certificates, or bind it to 127.0.0.1"
            )


def installed_version() -> Version:
    """The version of the installed mosquitto. Raises FileNotFoundError without one, ValueError if it names none."""
    said = subprocess.run(["mosquitto", "-h"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"version (\d+)\.(\d+)\.(\d+)", said)
    if found is None:
        raise ValueError("the output of `mosquitto -h` names no version")
    return int(found[1]), int(found[2]), int(found[3])


def find_acl_plugin(root: Path = Path("/")) -> Path:
    """The path of the ACL plugin of the installed mosquitto, 2.1 or newer. Raises FileNotFoundError without one."""
    for folder in PLUGIN_FOLDERS:
        for found in sorted(root.glob(f"{folder}/{ACL_PLUGIN}")):
            return found
    raise FileNotFoundError(
        f"{ACL_PLUGIN} is in none of {', '.join(PLUGIN_FOLDERS)}: mosquitto 2.1 and newer include it"
    )


def write(plan: BrokerPlan) -> Path:
    """Write `mosquitto.conf` and `acl` into the plan's folder. Returns the path of `mosquitto.conf`."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    rights = plan.folder / "acl"
    rights.write_text(acl(plan), encoding="utf-8")
    # mosquitto 2.0.16 and newer warns of an ACL file that anybody may read, and a later version will refuse it.
    rights.chmod(0o600)
    if os.geteuid() == 0:
        shutil.chown(rights, plan.user or "mosquitto")
    config = plan.folder / "mosquitto.conf"
    config.write_text(configuration(plan), encoding="utf-8")
    return config


def configuration(plan: BrokerPlan) -> str:
    by_plugin = plan.version >= ACL_BY_PLUGIN
    values = {
        "version": _dotted(plan.version),
        "user": plan.user or "",
        "pid_file": plan.folder / "mosquitto.pid",
        "acl_plugin": (plan.acl_plugin or find_acl_plugin()) if by_plugin else "",
        "acl_file": plan.folder / "acl",
        "port": plan.port,
        "bind": plan.bind,
        "ca_file": plan.tls.ca if plan.tls else "",
        "cert_file": plan.tls.cert if plan.tls else "",
        "key_file": plan.tls.key if plan.tls else "",
    }
    choices = {
        "user": plan.user is not None,
        "tls": plan.tls is not None,
        "plugin": by_plugin,
    }
    template = (TEMPLATES / "mosquitto.conf.in").read_text(encoding="utf-8")
    return Template("\n".join(_chosen(template.splitlines(), choices)) + "\n").substitute(values)


def acl(plan: BrokerPlan) -> str:
    template = (TEMPLATES / "acl.in").read_text(encoding="utf-8")
    root = f"suivant/1/{plan.site}"
    observers = (f"\nuser {name}\ntopic read {root}/#\n" for name in plan.observers)
    return Template(template).substitute(root=root) + "".join(observers)


def _chosen(lines: Iterable[str], choices: Mapping[str, bool]) -> list[str]:
    """The lines outside every `%if NAME … %else … %end`, and those of the chosen branches. Raises WrongTemplate."""
    kept: list[str] = []
    taken: bool | None = None
    for line in lines:
        if line.startswith("%if "):
            if taken is not None:
                raise WrongTemplate(f"{line}: the block before it is not closed")
            taken = choices[line.removeprefix("%if ").strip()]
        elif line in {"%else", "%end"}:
            if taken is None:
                raise WrongTemplate(f"{line}: no block is open")
            taken = not taken if line == "%else" else None
        elif taken is not False:
            kept.append(line)
    if taken is not None:
        raise WrongTemplate("the last block is not closed")
    return kept


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))
