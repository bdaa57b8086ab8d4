"""Rules for the site file's `login` that its types cannot express."""

from hub.auth.ldap_names import ACCOUNT_HOLE, dn_key, is_distinguished, is_under, parse_address
from hub.config.document import Document, Place, Rules, check_each
from hub.site import LdapDirectory, Login, RoleGroups

ROLES = RoleGroups.__struct_fields__


def check_login(document: Document) -> None:
    """Add each broken rule to the document's problems."""
    check_each(document, _RULES)


def _limits_make_sense(document: Document, path: Place, login: Login) -> None:
    if login.idle_min > login.absolute_h * 60:
        what = f"this has no effect: every session ends after absolute_h, {login.absolute_h} h"
        document.tell((*path, "idle_min"), what, warning=True)
    if login.recheck_min >= login.absolute_h * 60:
        what = f"this has no effect: every session ends before that, after absolute_h, {login.absolute_h} h"
        document.tell((*path, "recheck_min"), what, warning=True)


def _servers_have_addresses(document: Document, path: Place, directory: LdapDirectory) -> None:
    if not directory.servers:
        document.tell((*path, "servers"), "no server is named: name one, or remove directory")
    seen = set()
    for place, server in enumerate(directory.servers):
        try:
            address = parse_address(server)
        except ValueError:
            what = f"{server!r} has no host name: it should look like ldaps://ldap.example.fr or ldap://10.0.0.5:389"
            document.tell((*path, "servers", place), what)
            continue
        if address in seen:
            document.tell((*path, "servers", place), f"{server!r} is listed twice: keep one")
        seen.add(address)


def _names_are_distinguished(document: Document, path: Place, directory: LdapDirectory) -> None:
    for key in ("base", "group_base"):
        name = getattr(directory, key)
        if name is not None and not _is_name(name):
            document.tell((*path, key), _not_a_name(name))
    account = directory.service_account
    if account is not None and not _is_name(account) and directory.kind == "openldap":
        document.tell((*path, "service_account"), _not_a_name(account))


def _somebody_looks(document: Document, path: Place, directory: LdapDirectory) -> None:
    if directory.service_account is None and directory.bind_as is None:
        what = "name either 'service_account', the account that searches, or 'bind_as', the name people bind with"
        document.tell(path, what)
    elif directory.service_account is not None and directory.bind_as is not None:
        what = (
            "with a service account, the hub finds the name that a person binds with: remove bind_as or service_account"
        )
        document.tell((*path, "bind_as"), what)


def _people_bind_as_themselves(document: Document, path: Place, directory: LdapDirectory) -> None:
    template = directory.bind_as
    if template is None:
        return
    place = (*path, "bind_as")
    if template.count(ACCOUNT_HOLE) != 1:
        document.tell(
            place,
            f"{template!r} should contain {ACCOUNT_HOLE} exactly once, in the place of the account that people type",
        )
    elif is_distinguished(template) and not _is_name(template):
        document.tell(place, _not_a_name(template))
    elif not is_distinguished(template) and directory.kind == "openldap":
        what = f"{template!r} should be a distinguished name, such as uid={ACCOUNT_HOLE},ou=people,dc=example,dc=fr"
        document.tell(place, what)


def _filter_is_whole(document: Document, path: Place, directory: LdapDirectory) -> None:
    if directory.filter is None:
        return
    depth = 0
    for place, sign in enumerate(directory.filter):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth == 0 and place < len(directory.filter) - 1:
            break
    if depth != 0 or place < len(directory.filter) - 1:
        like = "(&(objectClass=person)(employeeType=agent))"
        what = f"{directory.filter!r} should be one filter with matching parentheses, such as {like}"
        document.tell((*path, "filter"), what)


def _groups_stand_where_they_are_looked_for(document: Document, path: Place, directory: LdapDirectory) -> None:
    key = "base" if directory.group_base is None else "group_base"
    base = directory.group_base or directory.base
    for role in ROLES:
        for place, group in enumerate(getattr(directory.groups, role)):
            if not _is_name(base) or not _is_name(group) or is_under(group, base):
                continue
            where = (*path, "groups", role, place)
            if "," not in dn_key(group):
                # The group's other pieces would get the same message.
                document.tell(
                    where,
                    f"{group!r} is only a piece of a name: put the whole name in quotes, since commas separate groups",
                )
                break
            document.tell(where, f"{group!r} is outside {key}, {base}, where the hub searches for groups")


def _groups_give_roles(document: Document, path: Place, groups: RoleGroups) -> None:
    if not any(getattr(groups, role) for role in ROLES):
        document.tell(
            path,
            f"no group is named, so nobody could log in: name a group for at least one of {', '.join(ROLES)}",
        )
    for role in ROLES:
        seen = set()
        for place, group in enumerate(getattr(groups, role)):
            if not _is_name(group):
                document.tell((*path, role, place), _not_a_name(group))
            elif dn_key(group) in seen:
                document.tell((*path, role, place), f"{group!r} is listed twice: keep one")
            seen.add(dn_key(group))


def _is_name(name: str) -> bool:
    return all(part.partition("=")[0] and part.partition("=")[2] for part in dn_key(name).split(","))


def _not_a_name(name: str) -> str:
    return f"{name!r} should be a complete distinguished name, such as cn=agents,ou=groups,dc=example,dc=fr"


_RULES: Rules = (
    (Login, (_limits_make_sense,)),
    (
        LdapDirectory,
        (
            _servers_have_addresses,
            _names_are_distinguished,
            _somebody_looks,
            _people_bind_as_themselves,
            _filter_is_whole,
            _groups_stand_where_they_are_looked_for,
        ),
    ),
    (RoleGroups, (_groups_give_roles,)),
)
