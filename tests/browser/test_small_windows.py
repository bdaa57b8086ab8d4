"""What a desk's page leaves out in a small window, or at a high zoom, is still within reach."""

from collections.abc import Iterator
from itertools import pairwise

from playwright.sync_api import Page, expect

from tests.browser import scenes
from tests.browser.at_desk import show
from tests.web.stand import Stand, TurnedClock

# The widest small window, a 1366 px screen at 200 %, the window of the design, and a phone.
WIDTHS = (859, 683, 420, 360)
TOO_WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


def at_widths(page: Page, *widths: int) -> Iterator[int]:
    """Give the window each width in turn, with what is open in it."""
    for width in widths:
        page.set_viewport_size({"width": width, "height": 640})
        assert (width, page.evaluate(TOO_WIDE)) == (width, False)
        yield width


def close_panel(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.locator("#panel")).to_be_empty()


def test_each_visitor_set_aside_and_each_absent_one_can_be_reached(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.left(stand, clock)
    show(page)
    for _ in at_widths(page, *WIDTHS):
        for title, numbers in (
            ("De côté (4)", ["A\u00a0014", "A\u00a0013", "A\u00a0012", "A\u00a0009"]),
            ("Absents (4)", ["A\u00a0017", "A\u00a0016", "A\u00a0015", "A\u00a0010"]),
        ):
            page.get_by_role("link", name=title).click()
            expect(page.locator("#panel .choice-title")).to_have_text(numbers)
            close_panel(page)


def test_a_visitor_is_said_to_be_set_aside_or_absent(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.free(stand, clock)
    show(page)
    for _ in at_widths(page, *WIDTHS):
        assert page.locator(".is-parked").inner_text().split()[:4] == ["De", "côté", "A", "009"]
        assert page.locator(".is-absent").inner_text().split()[:3] == ["Absent", "A", "010"]


def test_a_list_of_appointments_that_is_old_is_said_at_the_top_of_the_page(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.away_source(stand, clock)
    show(page)
    for _ in at_widths(page, 1366, 1024, *WIDTHS):
        expect(page.locator(".bar").get_by_text("Liste\u00a0RDV de\u00a010:31")).to_be_visible()
        expect(page.locator(".bar").get_by_text("En ligne")).to_have_count(0)
        expect(page.get_by_role("status").get_by_text("liste de 10:31, Publik ne répond pas")).to_have_count(1)


def test_reports_that_were_refused_are_one_press_away(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.away_source(stand, clock)
    show(page)
    for _ in at_widths(page, 1366, *WIDTHS):
        page.get_by_text("2\u00a0RDV non transmis").locator("visible=true").click()
        expect(page.locator("#panel .report")).to_have_count(2)
        close_panel(page)


def test_whom_to_greet_and_why_the_next_one_is_next_stand_on_the_page_where_there_is_room(
    page: Page, stand: Stand, clock: TurnedClock
) -> None:
    scenes.called(stand, clock)
    show(page)
    for _ in at_widths(page, 859, 683, 560):
        expect(page.locator(".visitor")).to_be_visible()
        expect(page.locator(".why")).to_contain_text("Son rendez-vous de 10:35 est l’échéance la plus proche")
        expect(page.locator(".why")).to_be_visible()


def test_in_the_smallest_windows_they_stand_above_the_queue(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    show(page)
    for _ in at_widths(page, 420, 360):
        page.locator(".more").get_by_text("File d’attente").click()
        held, following = (page.locator("#panel > .panel > .about").nth(place) for place in (0, 1))
        expect(held).to_have_text("A\u00a0012 · Jeanne Exemple · A attendu 19\u00a0min")
        expect(following).to_contain_text(
            "Pourquoi celui-ci\u00a0? Son rendez-vous de 10:35 est l’échéance la plus proche"
        )
        close_panel(page)


def test_the_triangle_of_a_refusal_is_beside_its_sentence(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    show(page)
    page.evaluate("document.getElementById('answer').replaceChildren(window.failed.content.cloneNode(true))")
    for width in at_widths(page, 420, 360):
        triangle, sentence = (page.locator(f"#answer .refused > {each}").bounding_box() for each in (".icon", "span"))
        assert triangle
        assert sentence
        assert triangle["x"] + triangle["width"] <= sentence["x"], width
        assert sentence["y"] <= triangle["y"] < sentence["y"] + sentence["height"], width


def test_the_page_has_its_heading_for_screen_readers(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.called(stand, clock)
    show(page)
    for _ in at_widths(page, *WIDTHS):
        expect(page.get_by_role("heading", level=1)).to_have_text("Guichet 3")
    page.goto("/")
    for width in at_widths(page, *WIDTHS):
        expect(page.get_by_role("heading", level=1)).to_have_text("Ville de Trois-Tilleuls")
        place = page.locator("h1").bounding_box()
        assert place
        assert place["width"] > 100, width


# Where on the page what has the focus begins, if that is in the lists.
TOP = """() => document.activeElement.closest('.lists')
  && scrollY + document.activeElement.getBoundingClientRect().top"""


def test_tab_goes_down_the_lists_as_they_are_drawn(page: Page, stand: Stand, clock: TurnedClock) -> None:
    scenes.left(stand, clock)
    show(page)
    for width in at_widths(page, *WIDTHS):
        page.locator("#park").focus()
        page.keyboard.press("Tab")
        tops: list[float] = []
        while (top := page.evaluate(TOP)) is not None:
            tops.append(top)
            page.keyboard.press("Tab")
        # Buttons of one line differ in height.
        upwards = [(one, other) for one, other in pairwise(tops) if other < one - 12]
        assert (width, len(tops), upwards) == (width, 7, [])


def test_with_forced_colours_icons_have_the_colour_of_the_text(page: Page, stand: Stand, clock: TurnedClock) -> None:
    page.emulate_media(forced_colors="active", color_scheme="dark")
    scenes.nobody(stand, clock)
    show(page)
    for icon in (".ticket.is-none > .icon", "#next .arrow"):
        drawn, around = page.locator(icon).evaluate(
            "each => [each, each.parentElement].map((one) => getComputedStyle(one).color)"
        )
        assert (icon, drawn) == (icon, around)
