"""The latest calls as a list: the newest on a paper ticket, older ones in rows."""

from dataclasses import dataclass

from nodes.display.draw import Align, Weight
from nodes.display.layout.canvas import Canvas, baseline_in
from nodes.display.palette import INK, INK_2, PAPER
from nodes.display.words import Words
from protocol.messages import Call

NEWEST_EM = 220
ROW_EM = 143
DESK_EM = 140
TITLE_EM = 54
SECOND_EM = 100
NEWEST_HEIGHT, ROW_HEIGHT, GAP = 250, 166, 12
_PLACE_ON_PLAQUE_EM = 40
# The least gap between a row's arrow and its plaque.
_ARROW_GAP = 32


@dataclass(frozen=True, slots=True)
class ListPlan:
    """The list's place, in units."""

    left: int
    right: int
    top: int
    number_x: int
    # The right edge of the newest number.
    newest_end: int
    arrow_x: int
    newest_arrow: bool
    desk_x: int

    @property
    def width(self) -> int:
        return self.right - self.left


LANDSCAPE_LIST = ListPlan(
    left=40, right=1200, top=110, number_x=100, newest_end=720, arrow_x=791, newest_arrow=True, desk_x=999
)
PORTRAIT_LIST = ListPlan(
    left=28, right=1052, top=262, number_x=88, newest_end=682, arrow_x=634, newest_arrow=False, desk_x=851
)


def draw_list(
    canvas: Canvas,
    plan: ListPlan,
    letters: str,
    calls: tuple[Call, ...],
    words: Words,
    *,
    old: bool,
    height: float,
    magnify: float,
) -> None:
    """Draw the list. As many older calls as fit fill `height`, at least one. `old`: the newest is only an outline."""
    magnify = min(magnify, height / ROW_HEIGHT)
    canvas.text(words.latest_calls, plan.number_x, plan.top - 25, TITLE_EM, Weight.MEDIUM, PAPER)
    canvas.text(words.desk, plan.desk_x, plan.top - 25, TITLE_EM, Weight.MEDIUM, PAPER, Align.CENTRE)
    _draw_newest(canvas, plan, letters, calls[0], old=old)
    top = plan.top + NEWEST_HEIGHT + GAP
    step = ROW_HEIGHT * magnify + GAP
    rows = max(1, int((height + GAP) // step))
    for place, call in enumerate(calls[1 : 1 + rows]):
        draw_row(canvas, plan, letters, call, top + place * step, magnify)


def _draw_newest(canvas: Canvas, plan: ListPlan, letters: str, call: Call, *, old: bool) -> None:
    area = (plan.left, plan.top, plan.width, NEWEST_HEIGHT)
    if old:
        canvas.outline(area, 32, 6, PAPER)
    else:
        canvas.ticket(area, 32, 32)
    ink = PAPER if old else INK
    em = canvas.fit_number(call.number, letters, NEWEST_EM, plan.newest_end - plan.number_x)
    canvas.number(call.number, plan.number_x, baseline_in(plan.top, NEWEST_HEIGHT, em), em, ink)
    middle = plan.top + NEWEST_HEIGHT / 2
    if plan.newest_arrow:
        canvas.arrow((plan.arrow_x - 47, middle - 40, 92, 80), 22, ink)
    plaque = (plan.desk_x - 145, middle - 105, 290, 210)
    canvas.plaque(plaque, 24, 9, 6)
    _draw_desk(canvas, call, plaque, NEWEST_EM, 30)


def draw_row(canvas: Canvas, plan: ListPlan, letters: str, call: Call, top: float, magnify: float = 1.0) -> None:
    height = ROW_HEIGHT * magnify
    canvas.row((plan.left, top, plan.width, height), 24, INK_2)
    plaque = (plan.desk_x - 103 * magnify, top + 12, 206 * magnify, height - 24)
    arrow_left = min(plan.arrow_x - 39, plaque[0] - _ARROW_GAP - 80)
    em = canvas.fit_number(call.number, letters, ROW_EM * magnify, arrow_left - 25 - plan.number_x)
    canvas.number(call.number, plan.number_x, baseline_in(top, height, em), em, PAPER)
    middle = top + height / 2
    canvas.arrow((arrow_left, middle - 32, 80, 64), 18, PAPER)
    canvas.plaque(plaque, 20, 0, 5)
    _draw_desk(canvas, call, plaque, DESK_EM * magnify, 16)


def _draw_desk(canvas: Canvas, call: Call, plaque: tuple[float, float, float, float], most: float, room: int) -> None:
    """The desk's number, and below it the desk's place if it is elsewhere."""
    x, y, width, height = plaque
    middle = x + width / 2
    if not call.place:
        em = canvas.fit(call.desk, Weight.SEMIBOLD, most, width - 2 * room)
        baseline = baseline_in(y, height, em)
        canvas.text(call.desk, middle, baseline, em, Weight.SEMIBOLD, PAPER, Align.CENTRE)
        return
    place_em = canvas.fit(call.place, Weight.MEDIUM, _PLACE_ON_PLAQUE_EM, width - 2 * room)
    em = canvas.fit(call.desk, Weight.SEMIBOLD, most * 0.66, width - 2 * room)
    canvas.text(call.desk, middle, y + height * 0.6, em, Weight.SEMIBOLD, PAPER, Align.CENTRE)
    canvas.text(call.place, middle, y + height * 0.85, place_em, Weight.MEDIUM, PAPER, Align.CENTRE)


def draw_instead(canvas: Canvas, plan: ListPlan, headline: str, second: str) -> None:
    """Two lines in place of the list."""
    em = canvas.fit(headline, Weight.SEMIBOLD, NEWEST_EM, plan.right - plan.number_x)
    canvas.text(headline, plan.number_x, plan.top + 250, em, Weight.SEMIBOLD, PAPER)
    em = canvas.fit(second, Weight.MEDIUM, SECOND_EM, plan.right - plan.number_x)
    canvas.text(second, plan.number_x, plan.top + 410, em, Weight.MEDIUM, PAPER)
