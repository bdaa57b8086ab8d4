"""Starts Debian's slapd on loopback, as a separate process, with TLS and made-up people.

with start_slapd(tmp_path, town()) as slapd:
    slapd.described(groups=…)
"""

import os
import signal
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ldap3 import NONE, Connection, Server

from hub.auth.ldap_secrets import LdapSecrets
from hub.site import LdapDirectory, RoleGroups
from provisioning.certificates import LOCAL_NAMES, Authority, PemFiles, write_pair
from tests.broker import free_port
from tests.listening import search_path, until_it_listens

BASE = "dc=trois-tilleuls,dc=example"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
# The service account may not read below this entry.
HIDDEN = f"ou=hidden,{BASE}"
SERVICE = f"cn=suivant,ou=services,{BASE}"
SERVICE_PASSWORD = "service password"
ADMIN = f"cn=admin,{BASE}"
ADMIN_PASSWORD = "admin password"
# Everybody's password, unless a person has another.
PASSWORD = "correct horse battery"
START_TIMEOUT_S = 20.0
# An address that the certificate does not name.
OTHER_LOOPBACK = "127.0.0.2"

# Settings of servers that let everybody with the right password in, but do not answer every other question: more people
# than the service account may look through, for which `uid` has no index of presence; a base that it may not read.
LIMITED = f'limits dn.exact="{SERVICE}" size.unchecked=10'
BASE_UNREADABLE = f'access to dn.base="{PEOPLE}" by * search'

SCHEMAS = ("core", "cosine", "inetorgperson", "nis")
# Active Directory's attributes, so that code that reads them can be tested with slapd.
OWN_SCHEMA = """\
attributetype ( 1.3.6.1.4.1.99999.1 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch
  SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.2 NAME 'userAccountControl' EQUALITY integerMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.3 NAME 'accountExpires' EQUALITY integerMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.99999.4 NAME 'user' AUXILIARY MAY ( sAMAccountName $ userAccountControl $ accountExpires ) )
"""
CONFIG = """\
{schemas}
include {folder}/own.schema
pidfile {folder}/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
TLSCACertificateFile {ca}
TLSCertificateFile {cert}
TLSCertificateKeyFile {key}
# Plain connections are let in, so that a test sees that the hub never uses one.
allow bind_anon_cred bind_anon_dn
database mdb
suffix {base}
rootdn {admin}
rootpw "{admin_password}"
directory {folder}/data
maxsize 268435456
dbnosync
index objectClass,uid,member,uniqueMember,memberUid,sAMAccountName eq
{first}
access to attrs=userPassword by anonymous auth by * none
access to attrs=pwdAccountLockedTime by dn.exact="{service}" read by * none
access to dn.subtree="ou=hidden,{base}" by * search
access to * by dn.exact="{service}" read by self read by dn.subtree="ou=people,{base}" read by * {others}
overlay ppolicy
ppolicy_default cn=default,ou=policies,{base}
"""


@dataclass(slots=True)
class Slapd:
    folder: Path
    files: PemFiles
    port: int
    tls_port: int
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"ldaps://127.0.0.1:{self.tls_port}"

    @property
    def plain_address(self) -> str:
        """The address for STARTTLS."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def secrets(self) -> LdapSecrets:
        return LdapSecrets(SERVICE_PASSWORD, self.files.ca)

    def described(self, **changes: Any) -> LdapDirectory:
        fields: dict[str, Any] = {
            "servers": (self.address,),
            "base": PEOPLE,
            "group_base": GROUPS,
            "groups": RoleGroups(
                agent=(group("agents"),),
                reception=(group("accueil"),),
                supervisor=(group("responsables"),),
                administrator=(group("informatique"),),
            ),
            "service_account": SERVICE,
        }
        return LdapDirectory(**(fields | changes))

    def start(self) -> None:
        urls = [self.plain_address, self.address, f"ldaps://{OTHER_LOOPBACK}:{self.tls_port}"]
        with (self.folder / "slapd.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["slapd", "-d", "0", "-f", str(self.folder / "slapd.conf"), "-h", " ".join(f"{url}/" for url in urls)],
                stdout=log,
                stderr=log,
                env=search_path(),
            )
        until_it_listens(self._process, self.tls_port, "slapd", (self.folder / "slapd.log").read_text, START_TIMEOUT_S)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Suspend slapd: the kernel still accepts connections for it, but nobody answers on them."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # Wait, because on a busy machine it may answer once more before it stops.
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def administrator(self) -> Iterator[Connection]:
        """A connection that may change the directory."""
        server = Server("127.0.0.1", self.port, get_info=NONE)
        connection = Connection(server, ADMIN, ADMIN_PASSWORD, raise_exceptions=True)
        connection.bind()
        try:
            yield connection
        finally:
            connection.unbind()


def group(name: str) -> str:
    return f"cn={name},{GROUPS}"


def person_dn(uid: str) -> str:
    return f"uid={uid},{PEOPLE}"


def entry(dn: str, *classes: str, **values: str | Iterable[str]) -> str:
    lines = [f"dn: {dn}", *(f"objectClass: {each}" for each in classes)]
    for name, given in values.items():
        lines += [f"{name}: {value}" for value in ([given] if isinstance(given, str) else given)]
    return "\n".join(lines) + "\n\n"


def person(
    account: str, name: str | None = None, *, classes: tuple[str, ...] = (), **values: str | Iterable[str]
) -> str:
    fields: dict[str, str | Iterable[str]] = {
        "uid": account,
        "cn": name or account,
        "sn": "Fictif",
        "userPassword": PASSWORD,
    }
    return entry(values.pop("dn", person_dn(account)), "inetOrgPerson", *classes, **(fields | values))  # type: ignore[arg-type]


def members(name: str, *dns: str) -> str:
    return entry(group(name), "groupOfNames", cn=name, member=dns)


def frame() -> str:
    """The entries around people and groups."""
    return "".join(
        [
            entry(BASE, "dcObject", "organization", dc="trois-tilleuls", o="Trois-Tilleuls"),
            *(
                entry(f"ou={each},{BASE}", "organizationalUnit", ou=each)
                for each in ("people", "groups", "services", "policies", "hidden")
            ),
            entry(SERVICE, "applicationProcess", "simpleSecurityObject", cn="suivant", userPassword=SERVICE_PASSWORD),
            entry(
                f"cn=default,ou=policies,{BASE}",
                "device",
                "pwdPolicy",
                cn="default",
                pwdAttribute="userPassword",
                pwdMaxAge="31536000",
                pwdLockout="TRUE",
                pwdMustChange="TRUE",
            ),
        ]
    )


def make_slapd(folder: Path, ldif: str, *, others: str = "none", first: str = "") -> Slapd:
    """Write the files of a slapd without starting it.

    `others`: the access of everybody else to the entries. `first`: a line before all rules of access.
    """
    (folder / "data").mkdir(parents=True)
    authority = Authority("Test directory", datetime.now(UTC))
    files = write_pair(folder, "slapd", authority, authority.server("slapd", LOCAL_NAMES))
    (folder / "own.schema").write_text(OWN_SCHEMA, encoding="utf-8")
    config = CONFIG.format(
        schemas="\n".join(f"include /etc/ldap/schema/{each}.schema" for each in SCHEMAS),
        folder=folder,
        base=BASE,
        admin=ADMIN,
        admin_password=ADMIN_PASSWORD,
        service=SERVICE,
        others=others,
        first=first,
        ca=files.ca,
        cert=files.cert,
        key=files.key,
    )
    (folder / "slapd.conf").write_text(config, encoding="utf-8")
    (folder / "town.ldif").write_text(frame() + ldif, encoding="utf-8")
    subprocess.run(
        ["slapadd", "-q", "-f", str(folder / "slapd.conf"), "-l", str(folder / "town.ldif")],
        capture_output=True,
        check=True,
        env=search_path(),
    )
    return Slapd(folder, files, free_port(), free_port())


@contextmanager
def start_slapd(folder: Path, ldif: str, *, others: str = "none", first: str = "") -> Iterator[Slapd]:
    slapd = make_slapd(folder, ldif, others=others, first=first)
    slapd.start()
    try:
        yield slapd
    finally:
        slapd.stop()
