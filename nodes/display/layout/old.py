"""The band that warns that what is shown may be old."""

from nodes.display.draw import Weight
from nodes.display.layout.canvas import Canvas, halves
from nodes.display.layout.scene import Scene, clock, local_in
from nodes.display.palette import AMBER, INK
from nodes.display.words import Words
from protocol.messages import HallState

OFFLINE_EM = 138
SECOND_EM = 60


def draw_old_band(canvas: Canvas, scene: Scene, hall: HallState, words: Words) -> None:
    since, ask = _said(scene, hall, words)
    if canvas.screen.portrait:
        _draw_upright(canvas, since, ask)
        return
    lower = canvas.band(784, AMBER)
    canvas.icon("wifi-off", 56, 846 + lower, 172, INK)
    em = _fit_running(canvas, since, 1920 - 277 - 40)
    canvas.running(since, 277, 931 + lower, em, Weight.SEMIBOLD, INK)
    em = canvas.fit(ask, Weight.MEDIUM, SECOND_EM, 1920 - 282 - 40)
    canvas.text(ask, 282, 1041 + lower, em, Weight.MEDIUM, INK)


def _said(scene: Scene, hall: HallState, words: Words) -> tuple[str, str]:
    """How long the hub has been away, or, if that is not known, when the picture was made."""
    if scene.offline_s is not None:
        return words.offline_since(scene.offline_s), words.may_be_old
    made = local_in(hall, hall.at)
    return words.waiting_for_server, words.made_at(clock(made), made.date(), scene.local.date())


def _fit_running(canvas: Canvas, text: str, room: float) -> float:
    return canvas.shrunk(OFFLINE_EM, lambda em: canvas.running_width(text, Weight.SEMIBOLD, em), room)


def _draw_upright(canvas: Canvas, since: str, ask: str) -> None:
    lower = canvas.band(1376, AMBER)
    x, room = 48, 1080 - 2 * 48
    lines = halves(since, lambda line: canvas.running_width(line, Weight.SEMIBOLD, OFFLINE_EM))
    canvas.icon("wifi-off", 1032 - 160, 1404 + lower, 160, INK)
    em = min(_fit_running(canvas, line, room) for line in lines)
    baseline = 1528 + lower
    for line in lines:
        canvas.running(line, x, baseline, em, Weight.SEMIBOLD, INK)
        baseline += 152
    baseline -= 36
    # How old the picture is and where to ask: one line each, which is all that fits.
    lines = ask.replace(". ", ".\n", 1).split("\n")
    em = min(canvas.fit(line, Weight.MEDIUM, SECOND_EM, room) for line in lines)
    for line in lines:
        canvas.text(line, x, baseline, em, Weight.MEDIUM, INK)
        baseline += 78
