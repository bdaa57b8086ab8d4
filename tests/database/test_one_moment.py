"""Reads of several statements see one moment: a picture must never carry a revision newer than its contents."""

from sqlalchemy import Engine, insert, select

from hub.database.engine import of_one_moment
from hub.database.tables import SiteRow


def test_a_page_sees_one_moment_though_a_call_is_committed_between_its_reads(engine: Engine) -> None:
    every_site = select(SiteRow.site)
    with of_one_moment(engine).connect() as page:
        before = page.execute(every_site).all()
        with engine.execution_options(write=True).begin() as other:
            other.execute(insert(SiteRow).values(site="elsewhere", generation_ms=1))
        assert page.execute(every_site).all() == before
    with of_one_moment(engine).connect() as page:
        assert len(page.execute(every_site).all()) == len(before) + 1
