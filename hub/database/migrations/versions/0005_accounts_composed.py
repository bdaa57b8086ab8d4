"""Stores local accounts in Unicode's composed form (NFC), as logins are typed; others would no longer be found."""

from unicodedata import normalize

from alembic import op
from sqlalchemy import ColumnElement, column, delete, select, table, update

revision = "0005"
down_revision = "0004"

_account = table("account", column("site"), column("account"), column("ended_ms"))


def upgrade() -> None:
    connection = op.get_bind()
    in_use = {(row.site, row.account): row.ended_ms is None for row in connection.execute(select(_account))}
    for site, account in sorted(in_use, key=lambda name: (not in_use[name], name)):
        composed = normalize("NFC", account)
        # Of several accounts with the same composed name, one gets it, an account in use before an ended one, as a new
        # account would take an ended one's name; the others stay listed unchanged.
        if (site, composed) not in in_use or in_use[site, account] > in_use[site, composed]:
            connection.execute(delete(_account).where(*_is(site, composed)))
            connection.execute(update(_account).where(*_is(site, account)).values(account=composed))
            in_use[site, composed] = in_use[site, account]


def _is(site: str, account: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return _account.c.site == site, _account.c.account == account
