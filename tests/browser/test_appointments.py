"""Appointments at the desk by keyboard alone: searching, checking in, names of any kind."""

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from hub.appointments.list_state import ListState
from hub.queue.requests import CheckIn
from hub.queue.states import State
from tests.browser import scenes
from tests.browser.at_desk import show, state_of
from tests.browser.pictures import A_SECOND_LATER, STANDING_STILL, enter
from tests.web.stand import Served, Stand, TurnedClock

DESK = scenes.DESK
WIDTHS = (1366, 420, 320)
NAMES = {
    "arabic": "\u0645\u062b\u0627\u0644 \u062a\u062c\u0631\u064a\u0628\u064a",
    "chinese": "\u4f8b \u592a\u90ce",
    "devanagari": "\u0909\u0926\u093e\u0939\u0930\u0923 \u0928\u093e\u092e",
    "emoji": "Zo\u00e9 \U0001f389\U0001f468\u200d\U0001f469\u200d\U0001f467 Exemple",
    "turned": "Exemple \u202eeltnava\u202c Fictif",
    "markup": '<b onclick="alert(1)">Exemple</b> & "Fils"',
    "marks": "Z" + "\u0301\u0308\u0323" * 20 + "alg\u00f6 Exemple",
    "one word": "Exemple" * 30,
    "many words": "Exemple d\u2019un nom " * 12,
}


def look_for(page: Page, text: str) -> None:
    page.keyboard.press("v")
    expect(page.locator("#query")).to_be_focused()
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_selector(".found")


def test_from_when_the_next_appointment_can_be_called_is_one_line(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.nobody(stand, clock)
    show(page)
    said = page.locator(".coming .when-heard")
    expect(said).to_contain_text("11:05")
    assert said.evaluate("each => each.offsetHeight < 2 * parseFloat(getComputedStyle(each).lineHeight)")


def test_a_visitor_is_found_by_name_and_checked_in_by_keys_alone(page: Page, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.appointments(stand, clock)
    show(page)
    look_for(page, "inventee zo")
    expect(page.locator(".found")).to_have_text("1 rendez-vous aujourd’hui")
    expect(page.locator(".is-booking")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#panel h2")).to_have_text("Rendez-vous de 11:05")
    expect(page.get_by_role("button", name="Il est arrivé")).to_be_focused()
    page.evaluate(A_SECOND_LATER)  # time to read the name
    page.keyboard.press("Enter")
    early = "En avance\u00a0: rendez-vous de 11:05, appel dès 10:55, plus tôt si la file est vide."
    expect(page.locator("#answer")).to_have_text(f"A\u00a0018 est enregistré. {early}")
    expect(page.locator("#panel")).to_be_empty()
    assert state_of(stand, ids["11:05"]) is State.WAITING
    look_for(page, "zoe")
    expect(page.locator(".is-booking")).to_contain_text("arrivé, A\u00a0018 attend")


def test_who_found_several_goes_on_typing(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.appointments(stand, clock)
    show(page)
    look_for(page, "exemple")
    expect(page.locator(".is-booking").nth(1)).to_be_visible()
    expect(page.locator("#query")).to_be_focused()


def test_enter_struck_twice_on_who_was_found_checks_nobody_in(page: Page, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.appointments(stand, clock)
    show(page)
    look_for(page, "inventee zo")
    expect(page.locator(".is-booking")).to_be_focused()
    page.evaluate(STANDING_STILL)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Il est arrivé")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_empty()
    assert state_of(stand, ids["11:05"]) is State.EXPECTED


def test_enter_in_the_field_presses_nothing_of_the_desk(page: Page, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.appointments(stand, clock)
    show(page)
    look_for(page, "personne")
    page.keyboard.type("s")
    with page.expect_response("**/search"):
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_empty()
    expect(page.locator("#ticket .number")).to_have_text("A\u00a0012")
    assert state_of(stand, ids["A012"]) is State.CALLED


def test_an_answer_that_comes_when_the_panel_was_left_is_dropped(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.appointments(stand, clock)
    answers: list[Route] = []
    show(page)
    page.keyboard.press("v")
    page.locator("#query").fill("exemple")
    page.route("**/search", lambda route: answers.append(route))  # noqa: PLW0108 - playwright looks into it
    with page.expect_request("**/search"):
        page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_empty()
    with page.expect_response("**/search"):
        answers[0].continue_()
    page.keyboard.press("t")
    expect(page.locator(".none-title")).to_have_text("Personne n’est appelé")
    expect(page.locator("#panel")).to_be_empty()


def test_letters_typed_into_the_field_are_no_keys(page: Page, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.appointments(stand, clock)
    show(page)
    page.keyboard.press("v")
    expect(page.locator("#query")).to_be_focused()
    page.keyboard.type("startup?")
    expect(page.locator("#query")).to_have_value("startup?")
    assert state_of(stand, ids["A012"]) is State.CALLED


def test_what_a_scanner_reads_from_the_confirmation_finds_the_booking(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    ids = scenes.appointments(stand, clock)
    show(page)
    look_for(page, f"https://publik.invalid/code/{stand.code_of(ids['11:25'])}/")
    expect(page.locator(".is-booking")).to_contain_text("F Famille")


@pytest.mark.parametrize("sought", ["personne", "exemple"])
def test_what_is_scanned_after_a_search_takes_the_place_of_what_was_sought(
    page: Page, stand: Stand, clock: TurnedClock, sought: str
) -> None:
    code = stand.code_of(scenes.appointments(stand, clock)["11:05"])
    show(page)
    look_for(page, sought)
    expect(page.locator(".found")).not_to_be_empty()
    page.keyboard.type(code)
    page.keyboard.press("Enter")
    expect(page.locator(".found")).to_have_text("1 rendez-vous aujourd’hui")
    expect(page.locator("#query")).to_have_value(code)


def test_a_name_that_is_begun_before_the_last_search_is_answered_is_typed_on(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.appointments(stand, clock)
    answers: list[Route] = []
    show(page)
    page.route("**/search", lambda route: answers.append(route))  # noqa: PLW0108 - playwright looks into it
    page.keyboard.press("v")
    page.locator("#query").fill("personne")
    with page.expect_request("**/search"):
        page.keyboard.press("Enter")
    page.keyboard.type("zo")
    while not answers:
        page.wait_for_timeout(10)
    answers[0].continue_()
    expect(page.locator(".found")).to_contain_text("Aucun rendez-vous trouvé")
    page.keyboard.type("e")
    expect(page.locator("#query")).to_have_value("zoe")


def test_who_goes_back_up_to_the_field_types_another_name(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.appointments(stand, clock)
    show(page)
    look_for(page, "zoe")
    expect(page.locator(".is-booking")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.type("ex")
    page.keyboard.press("ArrowUp")  # in the field itself: typing goes on there
    page.keyboard.type("em")
    expect(page.locator("#query")).to_have_value("exem")


def test_the_keys_list_names_the_search(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    show(page)
    page.keyboard.press("?")
    expect(page.locator(".key-list")).to_contain_text("Chercher un rendez-vous")


def test_the_list_goes_from_fresh_to_old_and_back_before_the_agents_eyes(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.appointments(stand, clock)
    show(page)
    expect(page.locator(".expected .age")).to_have_text("à jour")
    stand.list_state = ListState("Publik", clock.at_ms, late=True)
    stand.web.state.list_changed()
    expect(page.locator(".expected-head .when-online .mark")).to_contain_text("liste de 10:42")
    stand.list_state = ListState("Publik", clock.at_ms)
    stand.web.state.list_changed()
    expect(page.locator(".expected .age")).to_have_text("à jour")


def test_what_was_refused_is_told_again_by_keys_alone(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.away_source(stand, clock)
    show(page)
    notice = page.locator(".notice a")
    expect(notice).to_have_text("2 rendez-vous n’ont pas pu être transmis à Publik")
    notice.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#panel .report")).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#panel .report")).to_have_count(1)
    expect(page.locator("#answer")).to_have_text("Nouvel essai en cours.")
    page.keyboard.press("Escape")
    expect(notice).to_have_text("1 rendez-vous n’a pas pu être transmis à Publik")


@pytest.mark.parametrize("what", ["**/desks/*?panel=ticket*", "**/desks/*/search"])
def test_a_panel_that_the_hub_can_t_give_is_a_sentence_and_no_document(
    page: Page, stand: Stand, clock: TurnedClock, what: str
) -> None:
    scenes.appointments(stand, clock)
    show(page)
    problem = {"status": 503, "content_type": "application/problem+json", "body": '{"code": "database_away"}'}
    page.route(what, lambda route: route.fulfill(**problem))
    if "search" in what:
        page.keyboard.press("v")
        page.locator("#query").fill("zoe")
        page.keyboard.press("Enter")
    else:
        page.locator(".is-expected .row-link").first.click()
    expect(page.locator("#answer")).to_contain_text("n’a pas abouti")
    expect(page.locator("#panel")).not_to_contain_text("database_away")


def test_it_all_works_without_script(browser: Browser, server: Served, stand: Stand, clock: TurnedClock) -> None:
    ids = scenes.away_source(stand, clock)
    context = browser.new_context(base_url=server.address, java_script_enabled=False)
    page = enter(context, server).new_page()
    page.goto(f"/desks/{DESK}")
    page.locator("#row-search").click()
    page.locator("#query").fill("zoé")
    page.locator("#query").press("Enter")
    page.locator(".is-booking").click()
    page.get_by_role("button", name="Il est arrivé").click()
    expect(page.locator("#answer")).to_contain_text("A\u00a0018 est enregistré.")
    assert state_of(stand, ids["11:05"]) is State.WAITING
    page.locator(".notice a").click()
    page.get_by_role("button", name="Réessayer").first.click()
    expect(page.locator("#panel .report")).to_have_count(1)
    context.close()


@pytest.mark.parametrize("width", WIDTHS)
def test_a_name_of_any_kind_is_shown_as_it_is_and_breaks_nothing(
    page: Page, stand: Stand, clock: TurnedClock, width: int
) -> None:
    scenes.called(stand, clock)
    names = [stand.name_of(stand.book("civil", clock.at_ms + 60_000, name=name.strip())) for name in NAMES.values()]
    page.set_viewport_size({"width": width, "height": 768})
    show(page)
    assert _fits(page)
    for kept in names:
        page.keyboard.press("v")
        page.locator("#query").fill(kept)
        page.keyboard.press("Enter")
        assert page.locator(".is-booking .name").text_content() == kept
        assert page.locator(".is-booking").count() == 1
        assert _fits(page), kept
        page.locator(".is-booking").click()
        page.wait_for_selector(".panel-name")
        assert page.locator(".panel-name").text_content() == kept
        assert page.locator(".panel-name b, .is-booking b").count() == 0
        assert _fits(page), kept
        assert page.locator(".choice").first.is_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#panel")).to_be_empty()


def test_the_name_of_who_is_held_breaks_nothing_either(page: Page, stand: Stand, clock: TurnedClock) -> None:
    stand.open(DESK)
    stand.check_in(stand.book("civil", clock.at_ms, name=NAMES["one word"]))
    stand.next(DESK)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 768})
        show(page)
        assert _fits(page), width
    page.set_viewport_size({"width": 1366, "height": 768})
    ticket = page.locator("#ticket").bounding_box()
    assert ticket is not None
    assert ticket["height"] < 330


def test_in_a_small_window_who_is_expected_stands_in_lines_too(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.appointments(stand, clock)
    for width in (420, 320):
        page.set_viewport_size({"width": width, "height": 640})
        show(page)
        page.locator(".more a", has_text="File d’attente").click()
        rows = page.locator("#panel .is-expected .row")
        expect(rows.last).to_be_visible()
        heights = [box["height"] for row in rows.all() if (box := row.bounding_box())]
        assert max(heights) < 110, heights
        assert _fits(page), width


@pytest.mark.parametrize("width", [420, 320])
def test_in_a_small_window_a_name_that_is_found_is_whole(
    page: Page, stand: Stand, clock: TurnedClock, width: int
) -> None:
    ids = scenes.appointments(stand, clock)
    stand.do(CheckIn(origin=stand.origin(), desk=DESK, ticket=ids["11:15"]))
    page.set_viewport_size({"width": width, "height": 640})
    show(page)
    look_for(page, "jean b")
    name = page.locator("#panel .is-booking .name")
    expect(name).to_have_text("Jean-Baptiste d’Œuvre-Factice")
    assert not name.evaluate("it => it.scrollWidth > it.clientWidth")


def test_in_a_small_window_trying_again_stands_below_what_was_refused(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.away_source(stand, clock)
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(f"/desks/{DESK}?panel=reports")
    report = page.locator("#panel .report").first
    text, button = report.locator("p").last.bounding_box(), report.locator("button").bounding_box()
    assert text is not None
    assert button is not None
    assert button["y"] >= text["y"] + text["height"]
    assert text["width"] > 200
    assert _fits(page)


def _fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def test_names_of_other_latin_alphabets_are_in_the_page_s_own_letters(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    stand.book("civil", clock.at_ms + 60_000, name="Tomáš Łukasz Exemple-Inventé")
    show(page)
    page.keyboard.press("v")
    page.wait_for_selector("#query")
    page.locator("#query").fill("tomas")
    page.keyboard.press("Enter")
    page.wait_for_selector(".is-booking")
    page.evaluate("document.fonts.ready")
    loaded = "[...document.fonts].some(font => font.status === 'loaded' && font.unicodeRange.startsWith('U+100'))"
    assert page.evaluate(loaded)
