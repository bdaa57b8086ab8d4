"""Opens a desk's page and reads the state of its tickets."""

from playwright.sync_api import Page

from hub.queue.states import State
from hub.web.desk.reading import read_held, read_ticket
from tests.browser.pictures import SETTLED
from tests.browser.scenes import DESK
from tests.web.stand import Stand


def show(page: Page, desk: str = DESK) -> Page:
    page.goto(f"/desks/{desk}")
    page.evaluate(SETTLED)
    return page


def held(stand: Stand, desk: str = DESK) -> str | None:
    with stand.engine.connect() as connection:
        ticket = read_held(connection, stand.site.name).get(desk)
    return ticket.label if ticket else None


def state_of(stand: Stand, ticket: int) -> State:
    with stand.engine.connect() as connection:
        found = read_ticket(connection, stand.site.name, ticket)
    assert found is not None
    return found.state
