"""The desk page as an agent works it: keys, forms, two windows, panels, and a hub that goes away."""

from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace
from playwright.sync_api import Browser, BrowserContext, Page, Route, WebSocket, expect

from hub.queue import requests as q
from hub.queue.states import State
from hub.web.desk.reading import read_held, read_ticket
from protocol.messages import DeskMode
from tests.browser import scenes
from tests.browser.at_desk import held, show, state_of
from tests.browser.pictures import HAND_MS, SETTLED, enter
from tests.web.stand import Served, Stand, TurnedClock, a_site, served

DESK = scenes.DESK


# --- loading the script ---------------------------------------------------------------------------------------------


def test_a_module_that_comes_late_is_waited_for(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.free(stand, clock)
    late: list[Route] = []
    sockets: list[WebSocket] = []
    page.on("websocket", lambda socket: sockets.append(socket))  # noqa: PLW0108 - playwright looks into it
    page.route("**/static/desk/gestures.js", lambda route: late.append(route))  # noqa: PLW0108
    page.goto(f"/desks/{DESK}", wait_until="commit")
    while not late or not page.evaluate("window.htmx && document.readyState === 'interactive'"):
        page.wait_for_timeout(10)
    expect(page.locator("[data-htmx-powered]")).to_have_count(0)
    assert sockets == []
    late[0].continue_()
    page.evaluate(SETTLED)
    with page.expect_request("**/desks/*/next") as asked:
        page.keyboard.press("s")
    assert "suivant-clicked-at" in asked.value.headers
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0015")


# --- keys -----------------------------------------------------------------------------------------------------------


def test_a_click_that_the_hub_gets_much_later_calls_nobody_and_is_said(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.free(stand, clock)
    answers: list[Route] = []
    show(page)
    page.route("**/desks/*/next", lambda route: answers.append(route))  # noqa: PLW0108 - playwright looks into it
    with page.expect_request("**/desks/*/next"):
        page.keyboard.press("s")
    while not answers:
        page.wait_for_timeout(10)
    clock.turn(seconds=60)
    answers[0].continue_()
    expect(page.locator("#answer")).to_contain_text("Votre clic est arrivé trop tard")
    expect(page.locator(".none-title")).to_have_text("Personne n’est appelé")


def test_a_click_that_is_not_answered_is_said(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.free(stand, clock)
    show(page)
    page.route("**/desks/*/next", lambda route: route.abort())
    page.keyboard.press("s")
    expect(page.locator("#answer")).to_contain_text("Le serveur n’a pas répondu")


def test_what_was_done_though_its_answer_was_lost_can_be_read_beside_the_advice_to_look(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    show(page)
    page.route("**/desks/*/next", lose)
    page.keyboard.press("s")
    expect(page.locator("#answer")).to_contain_text("Regardez cette page avant de réessayer")
    expect(page.locator(".last > span")).to_contain_text("A 012 terminé, A 015 appelé")
    expect(page.locator(".last > span")).to_be_visible()
    expect(page.locator("#undo")).to_have_text("Annuler N", use_inner_text=True)


def test_a_window_that_is_given_an_old_picture_knows_the_hubs_time_all_the_same(
    browser: Browser, server: Served, page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.free(stand, clock)
    show(page)
    clock.turn(seconds=40)
    context = browser.new_context(base_url=server.address)
    second = enter(context, server).new_page()
    with second.expect_websocket() as socket:
        second.goto(f"/desks/{DESK}")
    socket.value.wait_for_event("framereceived")
    second.evaluate(SETTLED)
    assert second.evaluate("import('/static/desk/clock.js').then(({ now }) => now())") >= clock.now_ms()
    second.keyboard.press("s")
    expect(second.locator("#ticket .number")).to_have_text("A\u00a0015")
    context.close()


def test_every_key_does_what_its_letter_says(page: Page, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.morning(stand, clock)
    show(page)
    page.keyboard.press("s")
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0012")
    page.keyboard.press("p")
    expect(page.locator(".state")).to_contain_text("Au guichet")
    page.keyboard.press("c")
    expect(page.locator("#parked-title")).to_contain_text("De côté (2)")
    page.keyboard.press("e")
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0012")
    page.keyboard.press("a")
    expect(page.locator("#absent-title")).to_contain_text("Absents (2)")
    page.keyboard.press("i")
    expect(page.locator(".state")).to_contain_text("Au guichet")
    page.keyboard.press("t")
    expect(page.locator(".none-title")).to_have_text("Personne n’est appelé")
    page.keyboard.press("n")
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0012")
    page.keyboard.press("t")
    expect(page.locator(".none-title")).to_be_visible()
    page.keyboard.press("m")
    expect(page.locator(".box.is-absent")).to_contain_text("Personne")
    page.keyboard.press("u")
    expect(page.locator(".none-title")).to_contain_text("En pause depuis")
    page.keyboard.press("u")
    expect(page.locator("#next")).to_contain_text("Suivant")
    assert state_of(stand, ids["A010"]) is State.WAITING


def test_the_recall_key_says_it_again(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    show(page)
    page.keyboard.press("r")
    expect(page.locator(".last")).to_contain_text("A\u00a0012 rappelé · Maude Exemple, page")


def test_keys_are_dead_with_a_modifier_and_on_repeat(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.morning(stand, clock)
    show(page)
    page.keyboard.press("Control+s")
    page.keyboard.press("Alt+s")
    page.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 's', repeat: true, bubbles: true}))")
    page.keyboard.press("u")
    expect(page.locator(".none-title")).to_contain_text("En pause")
    assert held(stand) is None


def test_one_switch_turns_all_keys_off_and_stays(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.morning(stand, clock)
    show(page)
    page.keyboard.press("?")
    page.locator("#keys-switch").uncheck()
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_empty()
    page.keyboard.press("s")
    page.wait_for_timeout(HAND_MS)
    show(page)
    expect(page.locator("#keys-link")).to_contain_text("Touches coupées")
    page.keyboard.press("s")
    page.wait_for_timeout(HAND_MS)
    page.locator("#mode-pause").click()
    expect(page.locator(".none-title")).to_contain_text("En pause")
    assert held(stand) is None


def test_a_switch_in_a_panel_is_no_gesture_of_the_desk_and_arrows_without_keys_are_the_browsers(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.free(stand, clock)
    show(page)
    page.keyboard.press("?")
    page.locator("#keys-switch").focus()
    page.keyboard.press("Enter")
    page.keyboard.press(" ")
    expect(page.locator("html")).to_have_attribute("data-keys", "off")
    page.keyboard.press("Escape")
    expect(page.locator("#next")).to_contain_text("Suivant")
    assert page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowDown', bubbles: true, cancelable: true}))"
    )


def test_the_space_bar_presses_what_looks_like_a_button_and_focus_is_never_lost(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    show(page)
    page.locator("#transfer").focus()
    page.keyboard.press(" ")
    expect(page.locator("#panel h2")).to_contain_text("Transférer")
    page.locator("#panel .choice").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".none-title")).to_be_visible()
    expect(page.locator("#transfer")).to_be_focused()


def test_no_key_closes_and_closing_asks(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.morning(stand, clock)
    show(page)
    page.locator("#mode-close").click()
    expect(page.locator("#panel h2")).to_contain_text("Fermer le guichet 3")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_empty()
    page.locator("#mode-close").click()
    page.get_by_role("button", name="Fermer le guichet").click()
    expect(page.locator(".none-title")).to_have_text("Guichet fermé")
    expect(page.locator("#panel")).to_be_empty()
    # An agent who closes a desk is no longer signed on there.
    expect(page.locator("#take")).to_be_visible()
    page.keyboard.press("g")
    expect(page.locator("#next")).to_be_visible()
    page.keyboard.press("u")
    expect(page.locator(".none-title")).to_have_text("Personne n’est appelé")


def test_pause_waits_for_the_visit_and_is_taken_back_by_the_same_key(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    show(page)
    page.keyboard.press("u")
    expect(page.locator("#mode-pause")).to_contain_text("Pause après A\u00a0012")
    expect(page.locator("#next .when-online")).to_have_text("Termine A\u00a0012, puis pause")
    page.keyboard.press("u")
    expect(page.locator("#mode-pause")).to_have_text("PauseU")
    expect(page.locator("#next .when-online")).to_have_text("Termine A\u00a0012, puis appelle A\u00a0015")


# Keys at a scanner's pace, whatever the pace of the test. Returns whether the page prevented each key's default action.
SCAN = """(signs) => [...signs, 'Enter'].map((key) => {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true });
  document.activeElement.dispatchEvent(event);
  return event.defaultPrevented;
})"""


def strike(page: Page, keys: str, gap_ms: int) -> None:
    """Strike keys by the page's own clock, which stands still between two keys."""
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 1)
    for key in keys:
        page.clock.run_for(gap_ms)
        page.keyboard.press(key)


@pytest.mark.parametrize("keys", ["ss", "sss"])
@pytest.mark.parametrize("gap_ms", [0, 30])
def test_a_key_that_bounces_asks_once(page: Page, stand: Stand, clock: TurnedClock, keys: str, gap_ms: int) -> None:
    scenes.morning(stand, clock)
    page.clock.install()
    show(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/next") else None)
    strike(page, keys, gap_ms)
    page.clock.resume()
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0012")
    # Answers come in the order of the requests, so earlier requests are answered by then.
    page.keyboard.press("p")
    expect(page.locator(".state")).to_contain_text("Au guichet")
    assert len(asked) == 1


@pytest.mark.parametrize("code", ["AA", "AAPS", "AAAS"])
@pytest.mark.parametrize("gap_ms", [0, 30])
def test_a_code_that_begins_like_a_key_that_bounces_is_scanned_whole(
    page: Page, stand: Stand, clock: TurnedClock, code: str, gap_ms: int
) -> None:
    ids = scenes.called(stand, clock)
    page.clock.install()
    show(page)
    strike(page, code, gap_ms)
    page.clock.run_for(gap_ms)
    page.keyboard.press("Enter")
    page.clock.resume()
    expect(page.locator("#query")).to_have_value(code)
    expect(page.locator(".found")).to_contain_text("Aucun rendez-vous trouvé")
    assert state_of(stand, ids["A012"]) is State.CALLED


@pytest.mark.parametrize("keys", ["on", "off"])
def test_a_confirmation_that_is_scanned_without_a_field_is_looked_up_and_does_nothing_else(
    page: Page, stand: Stand, clock: TurnedClock, keys: str
) -> None:
    scenes.morning(stand, clock)
    show(page)
    code = page.locator(".is-expected .code").inner_text()
    page.evaluate("keys => localStorage.setItem('suivant.keys', keys)", keys)
    page.locator("#next").focus()
    # Each of these characters is a key of this page, and Enter would press Suivant.
    assert page.evaluate(SCAN, "CAPS")[1:] == [True] * 4
    if keys == "on":
        expect(page.locator(".found")).to_contain_text("Aucun rendez-vous trouvé")
        page.locator(".panel-head h2").click()
        page.evaluate(SCAN, code)
        expect(page.locator(".found")).to_contain_text("1 rendez-vous aujourd’hui")
        expect(page.locator("#panel .choice")).to_be_focused()
    page.wait_for_timeout(HAND_MS)
    assert held(stand) is None
    expect(page.locator("#mode-open")).to_have_class("mode is-now")


def test_on_a_french_keyboard_a_digit_needs_no_shift(page: Page, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.serving(stand, clock)
    show(page)
    page.keyboard.press("f")
    page.wait_for_selector("#panel .panel")
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '&', code: 'Digit1', bubbles: true}))"
    )
    expect(page.locator("#panel")).to_be_empty()
    with stand.engine.connect() as connection:
        ticket = read_ticket(connection, stand.site.name, ids["A012"])
    assert ticket is not None
    assert ticket.bound_desk == "desk-1"


@pytest.mark.parametrize(
    ("scene", "control"),
    [
        (scenes.free, "mode-pause"),
        (scenes.away(DeskMode.PAUSED), "mode-open"),
        (scenes.absent, "here"),
        (scenes.called, "undo"),
    ],
)
def test_focus_on_what_a_picture_takes_away_stays_at_the_desk_and_presses_nothing(
    page: Page, stand: Stand, clock: TurnedClock, scene: Callable[[Stand, TurnedClock], object], control: str
) -> None:
    scene(stand, clock)
    show(page)
    page.locator(f"#{control}").focus()
    before = page.locator("#ticket").inner_text()
    page.keyboard.press("Enter")
    expect(page.locator("#ticket")).not_to_have_text(before)
    assert page.evaluate("document.activeElement.id") in {"ticket", control}


def test_focus_on_a_ticket_that_another_page_calls_goes_to_the_one_in_its_place(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.free(stand, clock)
    show(page)
    rows = page.locator(".queue .row-link")
    following = rows.nth(1).inner_text()
    rows.first.focus()
    stand.press(DESK)
    expect(page.locator("#ticket .number")).to_be_visible()
    expect(page.locator(".queue .row-link").first).to_have_text(following)
    expect(page.locator(".queue .row-link").first).to_be_focused()


def test_a_refusal_is_said_until_something_else_is_done_at_the_desk(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    show(page)
    page.route("**/desks/*/recall", lambda route: route.abort())
    page.keyboard.press("r")
    expect(page.locator("#answer")).to_contain_text("Le serveur n’a pas répondu")
    page.wait_for_timeout(2_100)
    clock.turn(seconds=30)
    stand.press(DESK)
    expect(page.locator("#answer")).to_be_empty()
    expect(page.locator(".last")).to_be_visible()


# --- one gesture ----------------------------------------------------------------------------------------------------


def test_a_double_click_is_one_command(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.morning(stand, clock)
    show(page).locator("#next").dblclick()
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0012")
    assert held(stand) == "A012"
    expect(page.locator("#answer")).to_be_empty()


def test_suivant_is_off_right_after_a_call(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.morning(stand, clock)
    show(page)
    page.keyboard.press("s")
    expect(page.locator("#next .when-online")).to_have_text("Appel en cours…")
    page.keyboard.press("s")
    page.wait_for_timeout(HAND_MS)
    expect(page.locator("#next")).to_have_attribute("aria-disabled", "true")
    page.keyboard.press("u")
    expect(page.locator(".last")).to_contain_text("pause demandée")
    expect(page.locator("#next .when-online")).to_have_text("Appel en cours…")
    page.keyboard.press("u")
    clock.turn(seconds=3.1)
    expect(page.locator("#next .when-online")).to_have_text("Termine A\u00a0012, puis appelle A\u00a0015")
    assert held(stand) == "A012"


def test_the_undo_of_a_call_names_it_where_the_last_action_was_another(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.free(stand, clock)
    show(page)
    page.keyboard.press("s")
    expect(page.locator("#undo")).to_have_text("Annuler l’appel N", use_inner_text=True)
    page.keyboard.press("u")
    expect(page.locator(".last")).to_contain_text("pause demandée")
    expect(page.locator("#undo")).to_have_text("Annuler l’appel de A 015 N", use_inner_text=True)


def test_the_undo_of_a_finish_and_call_says_both_beside_another_action(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    show(page)
    page.keyboard.press("s")
    undo = page.locator("#undo")
    whole = "Annuler l’appel de A 015, rouvrir la visite d’avant N"
    expect(undo).to_have_text("Annuler N", use_inner_text=True)
    page.route("**/desks/*/park", lambda route: route.fulfill(status=500, content_type="text/plain"))
    page.keyboard.press("c")
    expect(page.locator("#answer")).to_contain_text("La commande n’a pas abouti")
    expect(undo).to_have_text(whole, use_inner_text=True)
    page.keyboard.press("u")
    expect(page.locator(".last")).to_contain_text("pause demandée")
    expect(undo).to_have_text(whole, use_inner_text=True)


def test_a_finish_and_call_is_undone_as_one(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    show(page)
    page.keyboard.press("s")
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0015")
    expect(page.locator("#undo")).to_contain_text("Annuler")
    page.keyboard.press("n")
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0012")
    expect(page.locator(".is-next .coming-title > strong")).to_have_text("A\u00a0015")


# --- two windows, and the button ------------------------------------------------------------------------------------


@pytest.fixture
def other(browser: Browser, server: Served) -> Iterator[Page]:
    context = browser.new_context(base_url=server.address)
    yield enter(context, server).new_page()
    context.close()


def test_two_windows_and_the_button_agree(page: Page, other: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.morning(stand, clock)
    show(page)
    show(other)
    stand.press(DESK)
    for each in (page, other):
        expect(each.locator("#ticket .number")).to_have_text("A\u00a0012")
    clock.turn(seconds=4)
    page.keyboard.press("t")
    expect(other.locator(".none-title")).to_have_text("Personne n’est appelé")


def test_who_was_slower_is_told_by_whom_and_when(page: Page, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.called(stand, clock)
    clock.set("10:42:07")
    show(page)
    # The page gets no updates, as on a network that hangs: what it shows is old.
    page.evaluate(
        "document.querySelector('#live').addEventListener("
        "'htmx:ws:before:message:incoming', (event) => event.preventDefault())"
    )
    clock.turn(seconds=-3)
    stand.press(DESK)
    page.keyboard.press("t")
    expect(page.locator("#answer")).to_have_text(
        "Déjà fait\u00a0: le bouton a appelé A\u00a0015 à 10:42:04. Cette page est à jour."
    )
    assert state_of(stand, ids["A015"]) is State.CALLED


def test_a_new_ticket_shows_itself(page: Page, stand: Stand, clock: TurnedClock) -> None:
    stand.open(DESK)
    show(page)
    expect(page.locator(".none-title")).to_have_text("Personne n’attend")
    stand.issue("civil")
    expect(page.locator(".none-title")).to_have_text("Personne n’est appelé")
    expect(page).to_have_title("A\u00a0001 attend · Guichet 3")


# --- panels ---------------------------------------------------------------------------------------------------------


def test_a_transfer_by_keys_to_a_service(page: Page, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.serving(stand, clock)
    show(page)
    page.keyboard.press("f")
    expect(page.locator("#panel h2")).to_have_text("Transférer A\u00a0012")
    page.keyboard.press("c")
    expect(page.locator(".none-title")).to_have_text("Personne n’est appelé")
    expect(page.locator("#panel")).to_be_empty()
    with stand.engine.connect() as connection:
        ticket = read_ticket(connection, stand.site.name, ids["A012"])
    assert ticket is not None
    assert (ticket.service, ticket.state) == ("identity", State.WAITING)


# As soon as the panel opens, however slow the machine is between the browser and the test.
STRIKE_AS_THE_PANEL_OPENS = """key => new MutationObserver((_, observer) => {
  if (!document.querySelector("#panel .panel")) return;
  observer.disconnect();
  setTimeout(() => {
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    document.body.dataset.struck = key;
  });
}).observe(document.body, { childList: true, subtree: true })"""


def test_the_key_that_opens_the_panel_struck_twice_transfers_nobody(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    ids = scenes.serving(stand, clock)
    show(page)
    page.evaluate(STRIKE_AS_THE_PANEL_OPENS, "f")  # also the letter of a service
    page.keyboard.press("f")
    page.wait_for_selector("body[data-struck=f]")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_empty()
    with stand.engine.connect() as connection:
        ticket = read_ticket(connection, stand.site.name, ids["A012"])
    assert ticket is not None
    assert ticket.state == State.SERVING


def test_a_transfer_by_a_digit_to_a_desk(page: Page, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.serving(stand, clock)
    show(page)
    page.keyboard.press("f")
    page.wait_for_selector("#panel .panel")
    page.keyboard.press("8")  # desk 8 is closed: nothing happens
    page.wait_for_timeout(HAND_MS)
    page.keyboard.press("1")
    expect(page.locator("#panel")).to_be_empty()
    with stand.engine.connect() as connection:
        ticket = read_ticket(connection, stand.site.name, ids["A012"])
    assert ticket is not None
    assert ticket.bound_desk == "desk-1"


def test_while_a_panel_is_open_only_its_keys_act_and_escape_does_nothing(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.serving(stand, clock)
    show(page)
    page.keyboard.press("f")
    page.wait_for_selector("#panel .panel")
    page.keyboard.press("t")
    page.wait_for_timeout(HAND_MS)
    page.keyboard.press("s")
    page.wait_for_timeout(HAND_MS)
    page.keyboard.press("t")
    page.keyboard.press("Escape")
    page.wait_for_timeout(HAND_MS)
    expect(page.locator("#panel")).to_be_empty()
    expect(page.locator("#transfer")).to_be_focused()
    assert held(stand) == "A012"


def test_a_transfer_to_a_service_without_an_open_desk_asks_once(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.serving(stand, clock)
    for desk in ("desk-6", "desk-9"):
        with stand.engine.connect() as connection:
            ticket = read_held(connection, stand.site.name).get(desk)
        stand.do(q.SetMode(origin=stand.origin(), desk=desk, shown=ticket.id if ticket else None, mode=DeskMode.CLOSED))
        if ticket:
            stand.do(q.Finish(origin=stand.origin(), desk=desk, shown=ticket.id))
    show(page)
    page.keyboard.press("f")
    page.locator("#panel .choice", has_text="Famille").click()
    expect(page.locator(".ask")).to_contain_text("Aucun guichet ouvert pour Famille")
    assert held(stand) == "A012"
    page.get_by_role("button", name="Transférer quand même").click()
    expect(page.locator("#panel")).to_be_empty()
    assert held(stand) is None


def test_a_row_opens_a_panel_by_arrow_and_enter(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.free(stand, clock)
    show(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2")).to_have_text("Ticket A\u00a0013")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0013")


def test_a_booked_visitor_is_checked_in_from_the_list(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.morning(stand, clock)
    show(page)
    page.locator(".is-expected .row-link").click()
    page.get_by_role("button", name="Il est arrivé").click()
    expect(page.locator(".waiting").first).to_contain_text("A\u00a0018")


# --- offline --------------------------------------------------------------------------------------------------------


def window_of(context: BrowserContext, server: Served) -> Page:
    """The desk's page of a hub that may later be served again at the same port."""
    page = enter(context, server).new_page()
    page.goto(f"{server.address}/desks/{DESK}")
    page.evaluate(SETTLED)
    return page


def test_a_hub_that_goes_away_is_said_and_buttons_are_off_until_it_is_back(
    browser: Browser, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    context = browser.new_context()
    with served(stand) as server:
        page = window_of(context, server)
        expect(page.locator(".chip-online")).to_be_visible()
    expect(page.locator(".chip-offline")).to_contain_text("Hors ligne depuis")
    expect(page.locator("#next")).to_contain_text("Impossible hors ligne. Un appui n’est pas gardé.")
    expect(page.locator(".is-old")).to_contain_text("Au besoin, appelez A\u00a0015 de vive voix.")
    expect(page.locator("#recall")).to_have_attribute("aria-disabled", "true")
    page.locator("a.plaque").click(force=True)
    page.keyboard.press("s")
    page.wait_for_timeout(HAND_MS)
    stand.press(DESK)
    with served(stand, server.port):
        expect(page.locator(".chip-online")).to_be_visible()
        expect(page.locator("#ticket .number")).to_have_text("A\u00a0015")
        expect(page.locator("#recall")).not_to_have_attribute("aria-disabled", "true")
    context.close()


def test_the_list_of_appointments_is_not_said_to_be_fresh_while_the_hub_is_away(
    browser: Browser, stand: Stand, clock: TurnedClock
) -> None:
    scenes.appointments(stand, clock)
    context = browser.new_context()
    with served(stand) as server:
        page = window_of(context, server)
        expect(page.locator(".expected-head")).to_contain_text("à jour")
    expect(page.locator(".chip-offline")).to_be_visible()
    expect(page.locator(".expected-head .age")).to_be_hidden()
    expect(page.locator(".expected-head .mark")).to_have_text("hors ligne")
    expect(page.locator("#row-search")).to_have_attribute("aria-disabled", "true")
    with served(stand, server.port):
        expect(page.locator(".expected-head .age")).to_be_visible()
        expect(page.locator("#row-search")).not_to_have_attribute("aria-disabled", "true")
    context.close()


def test_a_panel_that_was_open_while_the_hub_was_away_works_again(
    browser: Browser, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    context = browser.new_context()
    with served(stand) as server:
        page = window_of(context, server)
        page.locator("#mode-close").click()
        expect(page.locator("#panel .choice")).to_be_visible()
    expect(page.locator("#panel .choice")).to_have_attribute("aria-disabled", "true")
    with served(stand, server.port):
        expect(page.locator(".chip-online")).to_be_visible()
        page.locator("#panel .choice").click()
        expect(page.locator("#mode-close")).to_contain_text("Fermeture après")
    context.close()


def test_the_page_of_a_desk_that_the_site_has_no_more_says_so_once_the_hub_is_back(
    browser: Browser, stand: Stand, clock: TurnedClock
) -> None:
    context = browser.new_context()
    with served(stand) as server:
        page = window_of(context, server)
    without = replace(stand.site, desks=tuple(desk for desk in stand.site.desks if desk.name != DESK))
    later = Stand(stand.engine, without, clock.now_ms)
    later.look_at_sessions()
    with served(later, server.port), page.expect_response(f"**/desks/{DESK}") as answer:
        pass
    assert answer.value.status == 404
    later.stop()
    context.close()


def test_a_link_that_only_went_silent_is_said_and_given_up(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    page.clock.install()
    show(page)
    expect(page.locator(".chip-online")).to_be_visible()
    # The page's clock stands still from then on; otherwise the page would be online again a second later.
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 13)
    expect(page.locator(".chip-offline")).to_contain_text("Hors ligne depuis 0:1")
    expect(page.locator("#connection")).to_have_text("Hors ligne. Rien ne peut être appelé depuis cette page.")
    page.clock.run_for(2_000)
    expect(page.locator(".chip-online")).to_be_visible()
    expect(page.locator("#recall")).not_to_have_attribute("aria-disabled", "true")


def test_a_call_that_waits_for_its_announcement_says_when_it_comes(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    for desk in ("desk-3", "desk-1", "desk-5"):
        stand.open(desk)
        stand.issue("civil")
    for desk in ("desk-1", "desk-5", DESK):
        stand.next(desk)
    show(page)
    expect(page.locator(".until-said")).to_have_text("Annonce dans")
    expect(page.locator(".until-said")).to_be_visible()
    expect(page.locator(".when-said")).to_be_hidden()
    expect(page.locator("#recall")).to_have_attribute("aria-disabled", "true")
    clock.at_ms += 10_000
    stand.issue("civil")
    expect(page.locator(".when-said")).to_be_visible(timeout=15_000)
    expect(page.locator("#recall")).not_to_have_attribute("aria-disabled", "true")


def test_a_call_that_no_screen_hears_is_said_to_the_agent(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    stand.hears_the_hub = False
    show(page)
    expect(page.locator(".chip-screens")).to_be_visible(timeout=15_000)
    expect(page.locator(".chip-screens")).to_contain_text("appelez de vive voix")
    expect(page.locator(".chip-online")).to_be_hidden()
    stand.hears_the_hub = True
    expect(page.locator(".chip-online")).to_be_visible(timeout=15_000)


def test_who_hears_the_page_is_told_that_screens_are_cut_off_and_are_back(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    show(page)
    stand.hears_the_hub = False
    said = page.locator("#connection")
    expect(said).to_have_text("Écrans et boutons coupés\u00a0: appelez de vive voix", timeout=15_000)
    stand.hears_the_hub = True
    expect(said).to_have_text("Écrans et boutons de nouveau joints.", timeout=15_000)


COUNT_SAYINGS = """each => new MutationObserver(() => {
  each.dataset.said = Number(each.dataset.said ?? 0) + 1;
}).observe(each, { childList: true })"""


def test_who_hears_the_page_is_told_of_each_recall_and_of_a_pause_to_come(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    ids = scenes.called(stand, clock)
    show(page)
    said = page.locator("#connection")
    said.evaluate(COUNT_SAYINGS)
    for count in ("1", "2"):
        clock.turn(seconds=20)
        stand.do(q.Recall(origin=stand.origin(), desk=DESK, shown=ids["A012"]))
        expect(said).to_have_attribute("data-said", count)
        expect(said).to_contain_text("10:42 · A\u00a0012 rappelé")
    page.keyboard.press("u")
    expect(said).to_contain_text("pause demandée")


def test_who_hears_the_page_is_told_of_a_call_by_its_headline_alone(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    ids = scenes.called(stand, clock)
    show(page)
    said = page.locator("#connection")
    said.evaluate(COUNT_SAYINGS)
    stand.press(DESK)
    expect(page.locator("#headline")).to_contain_text("A\u00a0015")
    clock.turn(seconds=20)
    stand.do(q.Recall(origin=stand.origin(), desk=DESK, shown=ids["A015"]))
    expect(said).to_contain_text("A\u00a0015 rappelé")
    expect(said).to_have_attribute("data-said", "1")


def test_who_hears_the_page_is_told_all_that_one_picture_brings(page: Page, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.called(stand, clock)
    page.clock.install()
    show(page)
    expect(page.locator(".chip-online")).to_be_visible()
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 13)
    said = page.locator("#connection")
    expect(said).to_have_text("Hors ligne. Rien ne peut être appelé depuis cette page.")
    stand.hears_the_hub = False
    clock.turn(seconds=20)
    stand.do(q.Recall(origin=stand.origin(), desk=DESK, shown=ids["A012"]))
    page.clock.resume()
    expect(said).to_contain_text("A\u00a0012 rappelé")
    expect(said).to_contain_text("De nouveau en ligne. Écrans et boutons coupés\u00a0: appelez de vive voix")


# --- without script -------------------------------------------------------------------------------------------------


def test_the_page_works_without_script(browser: Browser, server: Served, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.morning(stand, clock)
    context = browser.new_context(base_url=server.address, java_script_enabled=False)
    page = enter(context, server).new_page()
    page.goto(f"/desks/{DESK}")
    page.locator("#next").click()
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0012")
    page.locator("#transfer").click()
    page.locator("#panel .choice", has_text="Identité").click()
    expect(page.locator(".none-title")).to_have_text("Personne n’est appelé")
    page.locator("#mode-close").click()
    page.locator("#panel .choice").click()
    expect(page.locator(".none-title")).to_have_text("Guichet fermé")
    assert state_of(stand, ids["A012"]) is State.WAITING
    context.close()


def test_a_site_of_the_pictures_is_what_the_pages_show(page: Page) -> None:
    page.goto("/")
    expect(page.locator(".desk-choice")).to_have_count(len(a_site().desks))


def test_an_open_panel_keeps_its_focus_and_is_kept_new(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.serving(stand, clock)
    show(page)
    page.keyboard.press("f")
    page.wait_for_selector("#panel .panel")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#panel .choice").first).to_be_focused()
    expect(page.locator("#panel .choice-text").first).to_contain_text("4 en attente")
    stand.issue("identity")
    expect(page.locator("#panel .choice-text").first).to_contain_text("5 en attente")
    expect(page.locator("#panel .choice").first).to_be_focused()


def test_focus_stays_on_the_same_ticket_while_the_list_moves_under_it(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    ids = scenes.free(stand, clock)
    show(page)
    page.locator(f"#row-link-{ids['A014']}").focus()
    stand.press(DESK)
    expect(page.locator(f"#row-{ids['A015']}")).to_have_count(0)
    expect(page.locator(f"#row-link-{ids['A014']}")).to_be_focused()


def test_a_panel_that_was_left_does_not_come_back(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.serving(stand, clock)
    answers: list[Route] = []

    def hold(route: Route) -> None:
        answers.append(route)

    show(page)
    page.keyboard.press("f")
    page.wait_for_selector("#panel .panel")
    page.route("**/desks/*?panel=transfer*", hold)
    with page.expect_request("**/desks/*?panel=transfer*"):
        stand.issue("identity")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_empty()
    with page.expect_response("**/desks/*?panel=transfer*"):
        answers[0].continue_()
    page.keyboard.press("t")
    expect(page.locator(".none-title")).to_have_text("Personne n’est appelé")
    expect(page.locator("#panel")).to_be_empty()
