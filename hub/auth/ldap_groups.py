"""The groups a person is in, nested groups included. Pure: the search function is passed in."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

from hub.auth.ldap_names import dn_key, escaped
from hub.auth.roles import Role
from hub.site import LdapDirectory, RoleGroups

# Limits on nested groups: levels, and groups in all. A town has a handful; a cycle would never end.
DEPTH_MOST = 10
GROUPS_MOST = 500
# Group names in one filter.
TOGETHER_MOST = 50
REMEMBERED_S = 60.0
REMEMBERED_MOST = 256
# LDAP_MATCHING_RULE_IN_CHAIN: Active Directory follows nested groups itself.
IN_CHAIN = "1.2.840.113556.1.4.1941"

# The names of the groups under the group base that match a filter.
FindGroups = Callable[[str], Sequence[str]]


def roles_by_group(groups: RoleGroups) -> dict[str, frozenset[Role]]:
    """The roles that each group gives, by `dn_key` of its name."""
    found: dict[str, frozenset[Role]] = {}
    for role in (Role.AGENT, Role.RECEPTION, Role.SUPERVISOR, Role.ADMINISTRATOR):
        for group in getattr(groups, role):
            found[dn_key(group)] = found.get(dn_key(group), frozenset()) | {role}
    return found


def groups_giving(roles: Container[Role], groups: RoleGroups) -> list[str]:
    """The groups that give one of these roles, as written in the site file, each once."""
    given = (group for role in Role if role in roles for group in getattr(groups, role, ()))
    return list(dict.fromkeys(given))


def group_names(groups: RoleGroups) -> list[str]:
    """All groups, as written in the site file, each once."""
    return list(dict.fromkeys([*groups.agent, *groups.reception, *groups.supervisor, *groups.administrator]))


def roles_of(groups: Iterable[str], by_group: Mapping[str, frozenset[Role]]) -> frozenset[Role]:
    return frozenset(role for group in groups for role in by_group.get(dn_key(group), ()))


def groups_of(
    directory: LdapDirectory, dn: str, account: str, find: FindGroups, above: "Above", *, fresh: bool = False
) -> list[str]:
    """The names of the groups a person is in. `fresh`: do not use the cache in `above`."""
    if directory.kind == "active_directory":
        return list(find(in_chain_filter(dn, group_names(directory.groups))))
    direct = find(f"(|(member={escaped(dn)})(uniqueMember={escaped(dn)})(memberUid={escaped(account)}))")
    return [*direct, *above.of(direct, find, fresh=fresh)]


def in_chain_filter(dn: str, groups: Sequence[str]) -> str:
    """The filter for those of `groups` that contain the person at any depth. It names them, since the rule is slow."""
    named = "".join(f"(distinguishedName={escaped(each)})" for each in groups)
    return f"(&(objectClass=group)(|{named})(member:{IN_CHAIN}:={escaped(dn)}))"


class Above:
    """The groups that contain some groups, cached for a minute: most people are in the same few, and a search is slow.

    `now_s`: any clock. Thread-safe: the table is replaced, never changed.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._known: dict[frozenset[str], tuple[float, tuple[str, ...]]] = {}

    def of(self, groups: Sequence[str], find: FindGroups, *, fresh: bool = False) -> tuple[str, ...]:
        around = frozenset(map(dn_key, groups))
        now_s = self._now_s()
        since_s, found = self._known.get(around, (float("-inf"), ()))
        # After a clock is set back, the cache is not used.
        if not fresh and 0 <= now_s - since_s < REMEMBERED_S:
            return found
        found = tuple(_up_from(groups, find))
        kept = self._known if len(self._known) < REMEMBERED_MOST else {}
        self._known = kept | {around: (now_s, found)}
        return found


def _up_from(groups: Sequence[str], find: FindGroups) -> Iterator[str]:
    """Search level by level: the groups that contain these, then the groups that contain those, and so on."""
    seen = set(map(dn_key, groups))
    below = list(groups)
    for _depth in range(DEPTH_MOST):
        fresh: list[str] = []
        for start in range(0, len(below), TOGETHER_MOST):
            named = "".join(map(_named_in, below[start : start + TOGETHER_MOST]))
            for group in find(f"(|{named})"):
                if dn_key(group) not in seen and len(seen) < GROUPS_MOST:
                    seen.add(dn_key(group))
                    fresh.append(group)
        if not fresh:
            return
        yield from fresh
        below = fresh


def _named_in(group: str) -> str:
    return f"(member={escaped(group)})(uniqueMember={escaped(group)})"
