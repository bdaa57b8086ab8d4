"""An accent in a local account's name is one character, as in what is typed: one kept as two would be found no more."""

from unicodedata import normalize

from alembic import op
from sqlalchemy import column, select, table, update

revision = "0005"
down_revision = "0004"

_account = table("account", column("site"), column("account"))


def upgrade() -> None:
    connection = op.get_bind()
    kept = {(row.site, row.account) for row in connection.execute(select(_account))}
    for site, account in sorted(kept):
        composed = normalize("NFC", account)
        # Where both were made, the one that is typed by most keyboards stands; the other is listed as it was.
        if (site, composed) not in kept:
            kept.add((site, composed))
            row = _account.c.site == site, _account.c.account == account
            connection.execute(update(_account).where(*row).values(account=composed))
