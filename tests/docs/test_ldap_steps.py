"""The blocks of docs/ldap.md, applied in order to slapd as Debian's package sets it up, lead to a login."""

import re
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.auth.ldap_directory import open_directory
from hub.auth.ldap_secrets import LdapSecrets
from hub.auth.roles import Role
from hub.site import LdapDirectory, RoleGroups
from provisioning.certificates import LOCAL_NAMES, Authority, PemFiles, write_pair
from tests.broker import free_port
from tests.listening import search_path, until_it_listens

ROOT = Path(__file__).parents[2]
# Debian's package makes its first configuration from this file.
STOCK = Path("/usr/share/slapd/slapd.init.ldif")
SUFFIX = "dc=example,dc=fr"
START_TIMEOUT_S = 20.0
SERVICE_PASSWORD, PASSWORD = "service password", "correct horse battery"
# The entries that a town already has.
TOWN = f"""\
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
dc: example
o: Trois-Tilleuls

dn: ou=people,{SUFFIX}
objectClass: organizationalUnit
ou: people

dn: uid=alix,ou=people,{SUFFIX}
objectClass: inetOrgPerson
uid: alix
cn: Alix Fictif
sn: Fictif
userPassword: {PASSWORD}

"""
# Debian's last rule lets everybody read; a town that closed its directory has a rule that does not.
OPEN, CLOSED = "olcAccess: to *\n  by * read\n", "olcAccess: to *\n  by self read\n  by * none\n"


def blocks() -> tuple[str, str, str, str, str]:
    text = (ROOT / "docs/ldap.md").read_text(encoding="utf-8")
    found = re.findall(r"^ *```ldif\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    tls, account, rights, index, groups = map(textwrap.dedent, found)
    return tls, account, rights, index, groups


class StockSlapd:
    """Is changed only while it is stopped, so that no system user has to be root for it."""

    def __init__(self, folder: Path, *, closed: bool) -> None:
        self.folder = folder
        self.port = free_port()
        for each in ("conf", "data"):
            (folder / each).mkdir()
        filling = {
            "@SUFFIX@": SUFFIX,
            "@PASSWORD@": "admin",
            "/var/run/slapd": str(folder),
            "/var/lib/ldap": str(folder / "data"),
            OPEN: CLOSED if closed else OPEN,
        }
        text = STOCK.read_text(encoding="utf-8")
        for placeholder, value in filling.items():
            assert placeholder in text
            text = text.replace(placeholder, value)
        self.run("slapadd", "cn=config", text)
        self.run("slapadd", SUFFIX, TOWN)

    def run(self, tool: str, base: str, ldif: str) -> None:
        done = subprocess.run(
            [tool, "-F", str(self.folder / "conf"), "-b", base],
            input=ldif,
            capture_output=True,
            text=True,
            env=search_path(),
            check=False,
        )
        assert done.returncode == 0, done.stderr

    @contextmanager
    def running(self) -> Iterator[None]:
        command = ["slapd", "-d", "0", "-F", str(self.folder / "conf"), "-h", f"ldap://127.0.0.1:{self.port}/"]
        log = self.folder / "slapd.log"
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, env=search_path())
        try:
            until_it_listens(process, self.port, "slapd", log.read_text, START_TIMEOUT_S)
            yield
        finally:
            process.kill()
            process.wait()


def roles_of_alix(slapd: StockSlapd, files: PemFiles) -> frozenset[Role]:
    described = LdapDirectory(
        servers=(f"ldap://127.0.0.1:{slapd.port}",),
        base=f"ou=people,{SUFFIX}",
        group_base=f"ou=groups,{SUFFIX}",
        service_account=f"cn=suivant,ou=services,{SUFFIX}",
        groups=RoleGroups(agent=(f"cn=agents-accueil,ou=groups,{SUFFIX}",)),
    )
    with slapd.running():
        directory = open_directory(described, LdapSecrets(SERVICE_PASSWORD, files.ca))
        try:
            return directory.log_in("alix", PASSWORD).roles
        finally:
            directory.close()


@pytest.mark.parametrize("closed", [False, True], ids=["as Debian has it", "closed"])
def test_the_steps_for_openldap_lead_from_debians_slapd_to_a_login(tmp_path: Path, closed: bool):
    authority = Authority("Trois-Tilleuls", datetime.now(UTC))
    files = write_pair(tmp_path, "slapd", authority, authority.server("ldap1", LOCAL_NAMES))
    tls, account, rights, index, groups = blocks()
    slapd = StockSlapd(tmp_path, closed=closed)
    own_files = {"/etc/ldap/tls/ldap1.example.fr.pem": files.cert, "/etc/ldap/tls/ldap1.example.fr.key": files.key}
    for written, own in own_files.items():
        assert written in tls
        tls = tls.replace(written, str(own))
    slapd.run("slapmodify", "cn=config", tls)
    slapd.run("slapadd", SUFFIX, account.replace("{SSHA}…", SERVICE_PASSWORD))
    if closed:
        slapd.run("slapmodify", "cn=config", rights)
    slapd.run("slapmodify", "cn=config", index)
    slapd.run("slapadd", SUFFIX, groups)
    assert roles_of_alix(slapd, files) == {Role.AGENT}
