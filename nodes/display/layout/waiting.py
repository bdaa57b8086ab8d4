"""The waiting counts: for each service its letter, its name and how many people wait."""

from dataclasses import dataclass

from nodes.display.draw import Align, Weight
from nodes.display.layout.canvas import Canvas, baseline_in
from nodes.display.palette import LINE, PAPER
from nodes.display.words import Words
from protocol.messages import Waiting

COUNT_EM = 138
NAME_EM = 54
LEAST_NAME_EM = 28
# The least gap between letter and count, in em: at 0.2, as in a number, they would be read as one.
LETTER_GAP_EM = 0.6
# From the letter's left edge to the service's name, in em of the letter: enough for a W.
_NAME_X_EM = 149 / COUNT_EM


@dataclass(frozen=True, slots=True)
class WaitingPlan:
    """The counts' place, in units; `top` is that of the first line, `step` the distance between lines."""

    left: int
    right: int
    top: int
    step: int


LANDSCAPE_WAITING = WaitingPlan(left=1264, right=1864, top=374, step=132)
LANDSCAPE_WAITING_OLD = WaitingPlan(left=1264, right=1864, top=270, step=125)
PORTRAIT_WAITING = WaitingPlan(left=84, right=996, top=1188, step=132)
PORTRAIT_WAITING_OLD = WaitingPlan(left=84, right=996, top=832, step=132)


SERVICES = 4


def services_that_fit(magnify: float) -> int:
    return max(1, int(SERVICES / magnify))


def draw_waiting(
    canvas: Canvas, plan: WaitingPlan, services: tuple[Waiting, ...], words: Words, magnify: float
) -> None:
    if not services:
        return
    canvas.text(words.waiting, plan.left, plan.top - 25, NAME_EM, Weight.MEDIUM, PAPER)
    canvas.icon("users", plan.right - 60, plan.top - 72, 60, PAPER)
    step, em = plan.step * magnify, _fit_counts(canvas, plan, services, COUNT_EM * magnify)
    for place, service in enumerate(services):
        _draw_service(canvas, plan, service, plan.top + place * step, step, em)


def _fit_counts(canvas: Canvas, plan: WaitingPlan, services: tuple[Waiting, ...], em: float) -> float:
    """One size for all letters and counts, at which each count keeps its distance from its letter."""
    wide = max(
        canvas.width_of(service.letter, Weight.SEMIBOLD, em) + canvas.width_of(str(service.count), Weight.SEMIBOLD, em)
        for service in services
    )
    return em * min(1.0, (plan.right - plan.left) / (wide + LETTER_GAP_EM * em))


def _draw_service(canvas: Canvas, plan: WaitingPlan, service: Waiting, top: float, step: float, em: float) -> None:
    canvas.rule((plan.left, top, plan.right - plan.left, 3), LINE)
    baseline = baseline_in(top, step, em)
    canvas.text(service.letter, plan.left, baseline, em, Weight.SEMIBOLD, PAPER)
    count = str(service.count)
    canvas.text(count, plan.right, baseline, em, Weight.SEMIBOLD, PAPER, Align.RIGHT)
    name_x = plan.left + _NAME_X_EM * em
    room = plan.right - name_x - canvas.width_of(count, Weight.SEMIBOLD, em) - 20
    name_em = canvas.fit(service.name, Weight.MEDIUM, NAME_EM, room)
    # Letter and count matter most; a name too small to read is left out.
    if name_em >= LEAST_NAME_EM:
        canvas.text(service.name, name_x, baseline_in(top + 2, step, NAME_EM), name_em, Weight.MEDIUM, PAPER)
