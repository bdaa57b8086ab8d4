"""How many wait for each service: letter, name, people."""

from dataclasses import dataclass

from nodes.display.draw import Align, Weight
from nodes.display.layout.canvas import Canvas, baseline_in
from nodes.display.palette import LINE, PAPER
from nodes.display.words import Words
from protocol.messages import Waiting

COUNT_EM = 138
NAME_EM = 54
LEAST_NAME_EM = 28


@dataclass(frozen=True, slots=True)
class WaitingPlan:
    """Where the counts stand, in units; `top` is the first line, `step` from one to the next."""

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
    for place, service in enumerate(services):
        _draw_service(canvas, plan, service, plan.top + place * plan.step * magnify, magnify)


def _draw_service(canvas: Canvas, plan: WaitingPlan, service: Waiting, top: float, magnify: float) -> None:
    step, em = plan.step * magnify, COUNT_EM * magnify
    canvas.rule((plan.left, top, plan.right - plan.left, 3), LINE)
    baseline = baseline_in(top, step, em)
    canvas.text(service.letter, plan.left, baseline, em, Weight.SEMIBOLD, PAPER)
    count = str(service.count)
    canvas.text(count, plan.right, baseline, em, Weight.SEMIBOLD, PAPER, Align.RIGHT)
    name_x = plan.left + 149 * magnify
    room = plan.right - name_x - canvas.width_of(count, Weight.SEMIBOLD, em) - 20
    name_em = canvas.fit(service.name, Weight.MEDIUM, NAME_EM, room)
    # Letter and count are what matters; a name nobody can read says nothing.
    if name_em >= LEAST_NAME_EM:
        canvas.text(service.name, name_x, baseline_in(top + 2, step, NAME_EM), name_em, Weight.MEDIUM, PAPER)
