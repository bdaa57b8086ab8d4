"""Shared by the tests of `suivant admin` and `suivant token`: the site's name, and access to output and database."""

from typing import Any

import pytest
from sqlalchemy import Engine, select

from hub.database.tables import Base

# The site of the example site file.
SITE = "town-hall"


def said(capsys: pytest.CaptureFixture[str]) -> Any:
    return capsys.readouterr()


def everything_kept(engine: Engine) -> str:
    """All values of all rows, as one text."""
    with engine.connect() as connection:
        rows = [row for table in Base.metadata.tables.values() for row in connection.execute(select(table))]
    return "\n".join(str(value) for row in rows for value in row)
