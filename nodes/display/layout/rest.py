"""A hall at rest: the latest calls, the waiting counts, the clock and one message, or a warning that it may be old."""

from nodes.display.draw import Align, Weight
from nodes.display.layout.calls import LANDSCAPE_LIST, PORTRAIT_LIST, draw_instead, draw_list
from nodes.display.layout.canvas import Canvas
from nodes.display.layout.header import draw_header
from nodes.display.layout.old import draw_old_band
from nodes.display.layout.readable import magnification
from nodes.display.layout.scene import Scene
from nodes.display.layout.waiting import (
    LANDSCAPE_WAITING,
    LANDSCAPE_WAITING_OLD,
    PORTRAIT_WAITING,
    PORTRAIT_WAITING_OLD,
    draw_waiting,
    services_that_fit,
)
from nodes.display.palette import INK, INK_2, PAPER
from nodes.display.words import Words
from protocol.messages import HallState

CLOCK_EM = 164
DATE_EM = 54
MESSAGE_EM = 70
MESSAGE_UPRIGHT_EM = 55
# For this long a called visitor may still come, or come back to ask where. The hub lists calls to the end of the day.
CALLED_MS = 15 * 60_000


def draw_rest(canvas: Canvas, scene: Scene, hall: HallState, words: Words) -> None:
    canvas.ground(INK)
    upright = canvas.screen.portrait
    if upright:
        draw_header(canvas, scene)
    else:
        _draw_clock(canvas, scene, words, dated=not scene.old)
    magnify = magnification(canvas.screen)
    _draw_calls(canvas, scene, hall, words, height=_ROWS_HEIGHT[upright, scene.old], magnify=magnify)
    if not _is_over(scene, hall):
        services = scene.services(hall, services_that_fit(magnify))
        draw_waiting(canvas, _WAITING[upright, scene.old], services, words, magnify)
    if scene.old:
        draw_old_band(canvas, scene, hall, words)
        return
    message = scene.message(hall)
    if message:
        _draw_message(canvas, message)


_WAITING = {
    (False, False): LANDSCAPE_WAITING,
    (False, True): LANDSCAPE_WAITING_OLD,
    (True, False): PORTRAIT_WAITING,
    (True, True): PORTRAIT_WAITING_OLD,
}

# The band replaces the oldest row, or two on an upright screen, where it is higher.
_ROWS_HEIGHT = {(False, False): 522, (False, True): 344, (True, False): 522, (True, True): 166}


def _draw_clock(canvas: Canvas, scene: Scene, words: Words, *, dated: bool) -> None:
    canvas.logo(1254, 48, 128)
    canvas.text(scene.clock, 1864, 162, CLOCK_EM, Weight.SEMIBOLD, PAPER, Align.RIGHT)
    if dated:
        day = words.day(scene.local.date())
        em = canvas.fit(day, Weight.MEDIUM, DATE_EM, 600)
        canvas.text(day, 1864, 241, em, Weight.MEDIUM, PAPER, Align.RIGHT)


def _draw_calls(canvas: Canvas, scene: Scene, hall: HallState, words: Words, height: float, magnify: float) -> None:
    plan = PORTRAIT_LIST if canvas.screen.portrait else LANDSCAPE_LIST
    if _is_over(scene, hall):
        opens = words.opens(hall.opens, hall.opens_on, scene.local.date()) if hall.opens else ""
        draw_instead(canvas, plan, words.closed, opens)
        return
    if hall.calls:
        draw_list(canvas, plan, scene.series, hall.calls, words, old=scene.old, height=height, magnify=magnify)
        return
    draw_instead(canvas, plan, words.welcome, words.take_a_ticket)


def _is_over(scene: Scene, hall: HallState) -> bool:
    """Whether the hall is closed and nobody is called any more: after the last ticket, waiting visitors still are."""
    called = any(scene.now_ms - call.at < CALLED_MS for call in hall.calls)
    return not hall.open and not called and not any(service.count for service in hall.waiting)


def _draw_message(canvas: Canvas, message: str) -> None:
    if canvas.screen.portrait:
        lower = canvas.band(1764, INK_2)
        canvas.icon("info", 56, 1800 + lower, 84, PAPER)
        em = canvas.fit(message, Weight.MEDIUM, MESSAGE_UPRIGHT_EM, 1080 - 169 - 28)
        canvas.text(message, 169, 1863 + lower, em, Weight.MEDIUM, PAPER)
        return
    lower = canvas.band(948, INK_2)
    canvas.icon("info", 56, 974 + lower, 80, PAPER)
    em = canvas.fit(message, Weight.MEDIUM, MESSAGE_EM, 1920 - 167 - 40)
    canvas.text(message, 167, 1040 + lower, em, Weight.MEDIUM, PAPER)
