"""The band that says that what is shown may be old."""

from nodes.display.draw import Weight
from nodes.display.layout.canvas import Canvas
from nodes.display.palette import AMBER, INK
from nodes.display.words import Words

OFFLINE_EM = 138
SECOND_EM = 60


def draw_old_band(canvas: Canvas, offline_s: int, words: Words) -> None:
    since = words.offline_since(offline_s)
    if canvas.screen.portrait:
        _draw_upright(canvas, since, words)
        return
    canvas.band(784, AMBER)
    canvas.icon("wifi-off", 56, 846, 172, INK)
    em = _fit_running(canvas, since, 1920 - 277 - 40)
    canvas.running(since, 277, 931, em, Weight.SEMIBOLD, INK)
    em = canvas.fit(words.may_be_old, Weight.MEDIUM, SECOND_EM, 1920 - 282 - 40)
    canvas.text(words.may_be_old, 282, 1041, em, Weight.MEDIUM, INK)


def _fit_running(canvas: Canvas, text: str, room: float) -> float:
    wide = canvas.running_width(text, Weight.SEMIBOLD, OFFLINE_EM)
    return OFFLINE_EM * min(1.0, room / wide)


def _draw_upright(canvas: Canvas, since: str, words: Words) -> None:
    canvas.band(1400, AMBER)
    canvas.icon("wifi-off", 40, 1440, 160, INK)
    x, room = 224, 1080 - 224 - 24
    lines = canvas.wrap(since, Weight.SEMIBOLD, OFFLINE_EM, room)
    em = min(_fit_running(canvas, line, room) for line in lines)
    baseline = 1560.0
    for line in lines:
        canvas.running(line, x, baseline, em, Weight.SEMIBOLD, INK)
        baseline += 140
    baseline -= 28
    for line in canvas.wrap(words.may_be_old, Weight.MEDIUM, SECOND_EM, 1080 - 2 * 60):
        canvas.text(line, 60, baseline, SECOND_EM, Weight.MEDIUM, INK)
        baseline += 80
