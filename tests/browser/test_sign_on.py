"""Who is signed on at a desk, as agents see it: taking a desk, being taken over, leaving, and who may only look."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, Page, expect

from hub.auth.roles import Role
from hub.site_index import SiteIndex
from hub.web.desk.reading import read_desks
from tests.browser import scenes
from tests.browser.at_desk import held, show
from tests.browser.pictures import HAND_MS
from tests.web.stand import COOKIE, Served, Stand, TurnedClock

DESK = scenes.DESK
MARKUP = "<b>Paul</b> & <script>alert(1)</script>"
Open = Callable[..., Page]


@pytest.fixture
def window(browser: Browser, server: Served) -> Iterator[Open]:
    """Opens a separate browser for somebody with these roles, on no page yet."""
    with ExitStack() as opened:

        def one(account: str, name: str, *roles: Role, scripts: bool = True) -> Page:
            context = browser.new_context(
                base_url=server.address, viewport={"width": 1366, "height": 768}, java_script_enabled=scripts
            )
            opened.callback(context.close)
            token = server.stand.log_in(*(roles or (Role.AGENT,)), account=account, name=name)
            context.add_cookies([{"name": COOKIE, "value": token, "url": server.address}])
            return context.new_page()

        yield one


@pytest.fixture
def camille(window: Open) -> Page:
    return window("c.exemple", "Camille Exemple")


@pytest.fixture
def paul(window: Open) -> Page:
    return window("p.exemple", MARKUP)


def agent_of(stand: Stand, desk: str = DESK) -> str | None:
    with stand.engine.connect() as connection:
        account: str | None = connection.exec_driver_sql(f"select agent from desk where name = '{desk}'").scalar_one()  # noqa: S608
    return account


def off(page: Page, *ids: str) -> None:
    for each in ids:
        expect(page.locator(f"#{each}")).to_have_attribute("aria-disabled", "true")


# --- with script ----------------------------------------------------------------------------------------------------


def test_an_agent_takes_a_free_desk_by_its_key_and_calls(camille: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.morning(stand, clock)
    show(camille)
    expect(camille.locator("#take")).to_contain_text("Prendre ce guichet")
    expect(camille.locator("#note")).to_contain_text("Personne n’est au guichet 3. Prenez-le pour appeler.")
    expect(camille.locator("#next")).to_be_hidden()
    off(camille, "mode-pause", "mode-close", "readmit")
    camille.keyboard.press("s")
    camille.wait_for_timeout(HAND_MS)
    camille.keyboard.press("g")
    expect(camille.locator("#next")).to_be_visible()
    expect(camille.locator(".bar .agent")).to_have_text("Camille Exemple")
    expect(camille.locator("#note")).to_be_hidden()
    assert held(stand) is None
    camille.keyboard.press("s")
    expect(camille.locator("#ticket .number")).to_have_text("A\u00a0012")
    expect(camille.locator(".last")).to_contain_text("A\u00a0012 appelé · Camille Exemple, page")


def test_enter_struck_twice_on_the_way_to_a_desk_calls_nobody(camille: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.morning(stand, clock)
    show(camille).locator("#take").focus()
    camille.keyboard.press("Enter")
    expect(camille.locator("#next")).to_be_visible()
    expect(camille.locator("#ticket")).to_be_focused()
    camille.keyboard.press("Enter")
    # Answers come in the order of the requests, so earlier requests are answered by then.
    camille.keyboard.press("u")
    expect(camille.locator("#next")).to_contain_text("Rouvrir")
    assert held(stand) is None


def test_who_is_taken_over_reads_by_whom_and_when_and_takes_the_desk_back(
    camille: Page, paul: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    stand.sign_on(DESK, account="c.exemple")
    show(camille)
    show(paul)
    expect(paul.locator("#take-over")).to_have_text("Reprendre le guichet à Camille Exemple G", use_inner_text=True)
    expect(paul.locator("#note")).to_have_text("Camille Exemple est au guichet 3 depuis 10:42.", use_inner_text=True)
    clock.set("10:42:07")
    paul.keyboard.press("g")
    expect(paul.locator("#panel h2")).to_have_text("Reprendre le guichet 3\u00a0?")
    expect(paul.locator("#panel")).to_contain_text("Le ticket A\u00a0012 reste au guichet.")
    assert agent_of(stand) == "c.exemple"
    paul.keyboard.press("Enter")
    expect(paul.locator("#next")).to_be_visible()
    expect(paul.locator("#panel")).to_be_empty()
    said = f"Guichet 3 repris par {MARKUP} à 10:42:07."
    expect(camille.locator("#note")).to_have_text(said, use_inner_text=True)
    expect(camille.locator("#connection")).to_have_text(said)
    off(camille, "recall", "present", "absent", "finish", "transfer", "park", "undo", "mode-pause")
    for key in "srpatcu":
        camille.keyboard.press(key)
    assert held(stand) == "A012"
    camille.locator("#take-over").click()
    camille.get_by_role("button", name="Reprendre le guichet", exact=True).click()
    expect(camille.locator("#recall")).not_to_have_attribute("aria-disabled", "true")
    expect(paul.locator("#note")).to_contain_text("Guichet 3 repris par Camille Exemple")
    assert agent_of(stand) == "c.exemple"


def test_a_late_command_is_refused_in_the_same_words(camille: Page, stand: Stand, clock: TurnedClock) -> None:
    stand.log_in(Role.AGENT, account="p.exemple", name=MARKUP)
    scenes.called(stand, clock)
    stand.sign_on(DESK, account="c.exemple")
    show(camille)
    # The page gets no updates, as on a network that hangs.
    camille.evaluate(
        "document.querySelector('#live').addEventListener("
        "'htmx:ws:before:message:incoming', (event) => { event.preventDefault(); event.stopPropagation(); })"
    )
    clock.set("10:42:07")
    stand.sign_on(DESK, account="p.exemple")
    camille.keyboard.press("t")
    expect(camille.locator("#answer")).to_have_text(f"Guichet 3 repris par {MARKUP} à 10:42:07.")
    assert held(stand) == "A012"


def test_focus_goes_to_what_stands_in_suivants_place(camille: Page, stand: Stand, clock: TurnedClock) -> None:
    stand.log_in(Role.AGENT, account="p.exemple", name="Paul Exemple")
    scenes.free(stand, clock)
    stand.sign_on(DESK, account="c.exemple")
    show(camille).locator("#next").focus()
    stand.sign_on(DESK, account="p.exemple")
    expect(camille.locator("#take-over")).to_be_focused()
    stand.sign_on(DESK, account="c.exemple")
    expect(camille.locator("#next")).to_be_focused()


def test_a_panel_that_is_open_when_the_desk_is_taken_over_does_nothing_any_more(
    camille: Page, stand: Stand, clock: TurnedClock
) -> None:
    stand.log_in(Role.AGENT, account="p.exemple", name="Paul Exemple")
    scenes.free(stand, clock)
    stand.sign_on(DESK, account="c.exemple")
    show(camille).locator("#mode-close").click()
    camille.wait_for_selector("#panel .panel")
    stand.sign_on(DESK, account="p.exemple")
    expect(camille.locator("#panel .choice")).to_have_attribute("aria-disabled", "true")
    stand.sign_on(DESK, account="c.exemple")
    expect(camille.locator("#panel .choice")).not_to_have_attribute("aria-disabled", "true")
    camille.locator("#panel .choice").click()
    expect(camille.locator(".none-title")).to_have_text("Guichet fermé")


def test_who_leaves_the_desk_leaves_it_open_and_free(camille: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.free(stand, clock)
    stand.sign_on(DESK, account="c.exemple")
    show(camille).get_by_role("button", name="Quitter le guichet").first.click()
    expect(camille.locator("#take")).to_be_visible()
    off(camille, "mode-pause")
    assert agent_of(stand) is None
    with stand.engine.connect() as connection:
        assert read_desks(connection, SiteIndex(stand.site))[DESK].mode == "open"


def test_who_logs_out_on_the_page_of_a_desk_leaves_it(camille: Page, stand: Stand) -> None:
    stand.sign_on(DESK, account="c.exemple")
    show(camille).locator("#log-out").click()
    expect(camille.get_by_label("Identifiant")).to_be_visible()
    assert agent_of(stand) is None


def test_a_page_that_shows_a_free_desk_displaces_nobody(camille: Page, stand: Stand, clock: TurnedClock) -> None:
    stand.log_in(Role.AGENT, account="p.exemple", name=MARKUP)
    clock.set("10:42:07")
    camille.goto("/")
    stand.sign_on(DESK, account="p.exemple")
    camille.get_by_role("button", name="Prendre le guichet 3").click()
    expect(camille.locator("#answer")).to_have_text(f"{MARKUP} est au guichet 3 depuis 10:42.")
    assert agent_of(stand) == "p.exemple"


def test_who_has_called_somebody_is_asked_before_another_desk_is_taken(
    camille: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.free(stand, clock)
    stand.sign_on(DESK, account="c.exemple")
    stand.press(DESK)
    show(camille, "desk-8")
    camille.keyboard.press("g")
    panel = camille.locator("#panel")
    expect(panel).to_contain_text("Vous quittez le guichet 3 : A 015 y est appelé.")
    expect(panel.locator("h2")).to_have_text("Prendre le guichet 8 ?")
    expect(panel.locator("button.choice")).to_be_focused()
    camille.keyboard.press("Escape")
    expect(panel).to_be_empty()
    expect(camille.locator("#take")).to_be_focused()
    assert agent_of(stand) == "c.exemple"
    camille.keyboard.press("g")
    panel.locator("button.choice").click()
    expect(camille.locator("#next")).to_be_visible()
    expect(panel).to_be_empty()
    assert agent_of(stand, "desk-8") == "c.exemple"
    assert held(stand) == "A015"


def test_the_start_page_leads_to_a_desk_by_one_click_and_marks_it(camille: Page, stand: Stand) -> None:
    stand.log_in(Role.AGENT, account="p.exemple", name=MARKUP)
    stand.sign_on("desk-2", account="p.exemple")
    camille.goto("/")
    expect(camille.locator("#desk-2")).to_contain_text(MARKUP)
    expect(camille.locator("#desk-2").get_by_role("button")).to_have_count(0)
    camille.get_by_role("button", name="Prendre le guichet 3").click()
    expect(camille).to_have_url(re.compile(r"/desks/desk-3$"))
    expect(camille.locator("#next")).to_be_visible()
    camille.locator(".bar .plaque").click()
    expect(camille.locator("#desk-3.is-mine")).to_contain_text("Votre guichet")
    assert agent_of(stand) == "c.exemple"


def test_reception_checks_in_and_transfers_and_calls_nobody(window: Open, stand: Stand, clock: TurnedClock) -> None:
    scenes.appointments(stand, clock)
    page = show(window("a.exemple", "Ange Exemple", Role.RECEPTION))
    expect(page.locator("#next")).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#next .when-barred")).to_have_text("Réservé aux agents et aux responsables")
    expect(page.locator(".is-take:visible")).to_have_count(0)
    off(page, "recall", "finish", "transfer", "park", "mode-close")
    page.locator(".waiting .row-link").first.click()
    expect(page.locator("#panel .choice", has_text="Transférer…")).not_to_have_attribute("aria-disabled", "true")
    page.keyboard.press("Escape")
    page.locator(".is-expected .row-link", has_text="11:05").click()
    page.get_by_role("button", name="Il est arrivé").click()
    expect(page.locator(".told")).to_be_visible()
    page.keyboard.press("m")
    expect(page.locator(".box.is-absent")).to_contain_text("Personne")


def test_an_administrator_alone_reads_why_nothing_can_be_done(window: Open, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    page = show(window("d.exemple", "Dominique Exemple", Role.ADMINISTRATOR))
    expect(page.locator("#note")).to_contain_text("Votre compte permet de voir.")
    off(page, "next", "recall", "finish", "transfer", "readmit", "mode-pause")
    page.locator(".waiting .row-link").first.click()
    expect(page.locator("#panel .choice").first).to_have_attribute("aria-disabled", "true")
    expect(page.locator("#panel .choice").first).to_contain_text("réservé à l’agent du guichet")


def test_a_session_that_ended_leads_to_the_login_from_any_control(camille: Page, stand: Stand) -> None:
    stand.sign_on(DESK, account="c.exemple")
    show(camille)
    camille.context.clear_cookies()
    camille.locator("#quit").click()
    expect(camille.get_by_label("Identifiant")).to_be_visible()


# --- without script -------------------------------------------------------------------------------------------------


def test_without_script_a_desk_is_taken_taken_over_and_left(window: Open, stand: Stand, clock: TurnedClock) -> None:
    camille = window("c.exemple", "Camille Exemple", scripts=False)
    paul = window("p.exemple", MARKUP, scripts=False)
    scenes.morning(stand, clock)
    clock.set("10:42:07")
    camille.goto("/")
    camille.get_by_role("button", name="Prendre le guichet 3").click()
    camille.locator("#next").click()
    expect(camille.locator("#ticket .number")).to_have_text("A\u00a0012")
    paul.goto(f"/desks/{DESK}")
    off(paul, "recall", "finish", "transfer", "mode-pause")
    expect(paul.locator("#next")).to_be_hidden()
    clock.set("10:43:08")
    paul.locator("#take-over").click()
    paul.locator("#panel .choice").click()
    expect(paul.locator("#next")).to_be_visible()
    camille.locator("#finish").click()
    said = f"Guichet 3 repris par {MARKUP} à 10:43:08."
    expect(camille.locator("#answer")).to_have_text(said)
    camille.goto(f"/desks/{DESK}")
    expect(camille.locator("#note")).to_have_text(said, use_inner_text=True)
    off(camille, "recall", "finish", "transfer", "mode-pause")
    paul.locator("#quit").click()
    expect(paul.locator("#take")).to_be_visible()
    assert held(stand) == "A012"
