"""The made-up people and groups of the test directory."""

from collections.abc import Iterator

from hub.auth.people import MAX_ACCOUNT
from tests.auth.slapd import PEOPLE, entry, group, members, person, person_dn

CROWD = 20_000
LONG_ACCOUNT = "a" * (MAX_ACCOUNT + 1)
# Nobody listens on this port unless a test does.
REFERRED_PORT = 9


def people(*, referred_port: int = REFERRED_PORT, crowd: int = 0) -> str:
    return "".join(_entries(referred_port, crowd))


def _entries(referred_port: int, crowd: int) -> Iterator[str]:
    yield person("alix", "Alix Exemple")
    yield person("basile", "Basile Exemple")
    yield person("camille", "Camille Exemple")
    yield person("dominique", "Dominique Exemple")
    yield person("nobody-special", "Sans Groupe")
    yield person("eloïse", "Éloïse Exemple")
    yield person("groß", "Sascha Exemple")
    yield person("odd,name+x", "Odd Name", dn=rf"uid=odd\2Cname\2Bx,{PEOPLE}")
    yield person("renaud", "Renaud Exemple")
    # One person with two accounts; the first in order is longer than any account that may be entered.
    yield person("martin", uid=["martin", LONG_ACCOUNT])
    # Two people with the same account.
    yield person("twice", "Première Personne")
    yield person("twice-2", "Seconde Personne", uid=["twice-2", "twice"])
    # People who may no longer log in, each for another reason.
    yield person("expired", pwdChangedTime="20200101000000Z")
    yield person("locked", pwdAccountLockedTime="000001010000Z")
    yield person("reset", pwdReset="TRUE")
    yield person("changed", pwdChangedTime="20260901000000Z")
    # Somebody typed wrong passwords for this one.
    yield person("besieged", pwdAccountLockedTime="20260101000000Z")
    yield person("shadow", classes=("shadowAccount",), shadowExpire="18262")
    yield person("left", classes=("user",), sAMAccountName="left", userAccountControl="514")
    yield person(
        "contract",
        classes=("user",),
        sAMAccountName="contract",
        userAccountControl="512",
        accountExpires="132223104000000000",
    )
    yield person(
        "stays",
        classes=("user",),
        sAMAccountName="stays",
        userAccountControl="512",
        accountExpires="9223372036854775807",
    )

    over = [person_dn(each) for each in ("expired", "locked", "besieged", "shadow", "left", "contract", "stays")]
    over += [person_dn(each) for each in ("reset", "changed")]
    known = [
        person_dn("alix"),
        person_dn("eloïse"),
        person_dn("groß"),
        rf"uid=odd\2Cname\2Bx,{PEOPLE}",
        person_dn("twice"),
        person_dn("martin"),
    ]
    yield members("agents", *known, *over)
    # Basile has the role reception through nested groups; the two groups contain each other.
    yield members("etat-civil", person_dn("basile"), group("services-population"))
    yield members("services-population", group("etat-civil"))
    yield members("accueil", group("services-population"))
    yield entry(group("responsables"), "groupOfUniqueNames", cn="responsables", uniqueMember=person_dn("camille"))
    yield entry(group("informatique"), "posixGroup", cn="informatique", gidNumber="4000", memberUid="dominique")
    yield members("partants", person_dn("renaud"))
    yield entry(
        f"cn=elsewhere,{PEOPLE}",
        "referral",
        "extensibleObject",
        cn="elsewhere",
        ref=f"ldap://127.0.0.1:{referred_port}/{PEOPLE}",
    )
    yield entry(f"ou=crowd,{PEOPLE}", "organizationalUnit", ou="crowd")
    for number in range(crowd):
        uid = f"crowd{number:05}"
        yield person(uid, f"Fictif {number}", dn=f"uid={uid},ou=crowd,{PEOPLE}")
    if crowd:
        yield members("crowd", *(f"uid=crowd{number:05},ou=crowd,{PEOPLE}" for number in range(crowd)))
