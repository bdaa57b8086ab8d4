"""A call: the ticket's number next to the desk's plaque; landscape screens show nothing else below the header."""

from nodes.display.draw import Align, Weight
from nodes.display.layout.calls import PORTRAIT_LIST, draw_row
from nodes.display.layout.canvas import Canvas, baseline_in
from nodes.display.layout.header import draw_header
from nodes.display.layout.scene import Scene, earlier_calls
from nodes.display.palette import INK, PAPER
from nodes.display.words import Words
from protocol.messages import Announce

NUMBER_EM = 541
NUMBER_UPRIGHT_EM = 320
DESK_DIGIT_UPRIGHT_EM = 620
LEAST_NUMBER_EM = 220
DESK_EM = 220
PLACE_EM = 138

_TICKET = (32, 108, 1856, 458)
_PLAQUE = (32, 590, 1856, 458)
_RADIUS, _NOTCH, _INSET, _KEYLINE = 36, 46, 14, 8
_TICKET_UPRIGHT = (28, 188, 1024, 404)
_PLAQUE_UPRIGHT = (28, 620, 1024, 838)
_NOTCH_UPRIGHT = 40
# Negative, since the side bearings of the outer characters keep them off the notches.
_ROOM_AT_NOTCH = -12


def draw_call(canvas: Canvas, scene: Scene, announcement: Announce, words: Words) -> None:
    canvas.ground(INK)
    draw_header(canvas, scene)
    if canvas.screen.portrait:
        _draw_upright(canvas, scene, announcement, words)
        return
    canvas.ticket(_TICKET, _RADIUS, _NOTCH)
    _draw_number(canvas, scene, announcement, _TICKET, NUMBER_EM, _NOTCH)
    canvas.plaque(_PLAQUE, _RADIUS, _INSET, _KEYLINE)
    _draw_way(canvas, announcement, words)


def _draw_number(
    canvas: Canvas, scene: Scene, announcement: Announce, area: tuple[int, int, int, int], most: int, notch: int
) -> None:
    x, y, width, height = area
    room = width - 2 * (notch + _ROOM_AT_NOTCH)
    em = max(LEAST_NUMBER_EM, canvas.fit_number(announcement.number, scene.series, most, room))
    left = x + (width - canvas.number_width(announcement.number, em)) / 2
    canvas.number(announcement.number, left, baseline_in(y, height, em), em, INK)


def _draw_way(canvas: Canvas, announcement: Announce, words: Words) -> None:
    """Arrow, 'Guichet' and the desk's number; with more than one digit the arrow is smaller."""
    _, y, _, height = _PLAQUE
    short = len(announcement.desk) == 1
    arrow, gap = (250, 96) if short else (170, 48)
    arrow_height, thickness = (216, 54) if short else (150, 40)
    x = 116.0
    canvas.arrow((x, y + (height - arrow_height) / 2, arrow, arrow_height), thickness, PAPER)
    x += arrow + gap
    desk_em = canvas.fit(words.desk, Weight.SEMIBOLD, DESK_EM, 849)
    baseline = baseline_in(y, height, DESK_EM) + (6 if not announcement.place else -84)
    canvas.text(words.desk, x, baseline, desk_em, Weight.SEMIBOLD, PAPER)
    right = x + canvas.width_of(words.desk, Weight.SEMIBOLD, desk_em)
    if announcement.place:
        em = canvas.fit(announcement.place, Weight.MEDIUM, PLACE_EM, right - x)
        canvas.text(announcement.place, x, baseline + 176, em, Weight.MEDIUM, PAPER)
    room = 1852 - right - 24
    em = canvas.fit(announcement.desk, Weight.SEMIBOLD, NUMBER_EM, room)
    wide = canvas.width_of(announcement.desk, Weight.SEMIBOLD, em)
    centre = min(right + (1887 - right) * (0.512 if short else 0.487), 1852 - wide / 2)
    canvas.text(announcement.desk, centre, baseline_in(y, height, em), em, Weight.SEMIBOLD, PAPER, Align.CENTRE)


def _draw_upright(canvas: Canvas, scene: Scene, announcement: Announce, words: Words) -> None:
    canvas.plaque(_PLAQUE_UPRIGHT, _RADIUS, _INSET, _KEYLINE)
    canvas.ticket(_TICKET_UPRIGHT, _RADIUS, _NOTCH_UPRIGHT)
    canvas.pointer((431, 591, 218, 111), PAPER)
    _draw_number(canvas, scene, announcement, _TICKET_UPRIGHT, NUMBER_UPRIGHT_EM, _NOTCH_UPRIGHT)
    em = canvas.fit(words.desk, Weight.SEMIBOLD, DESK_EM, 940)
    canvas.text(words.desk, 540, 919, em, Weight.SEMIBOLD, PAPER, Align.CENTRE)
    most = DESK_DIGIT_UPRIGHT_EM
    if announcement.place:
        canvas.text(
            announcement.place,
            540,
            1404,
            canvas.fit(announcement.place, Weight.MEDIUM, PLACE_EM, 940),
            Weight.MEDIUM,
            PAPER,
            Align.CENTRE,
        )
        most = 430
    em = canvas.fit(announcement.desk, Weight.SEMIBOLD, most, 900)
    bottom = 1270 if announcement.place else 1414
    canvas.text(announcement.desk, 540, bottom, em, Weight.SEMIBOLD, PAPER, Align.CENTRE)
    _draw_earlier(canvas, scene, announcement, words)


def _draw_earlier(canvas: Canvas, scene: Scene, announcement: Announce, words: Words) -> None:
    calls = earlier_calls(scene, announcement)[:2]
    if not calls:
        return
    canvas.text(words.latest_calls, 73, 1535, 54, Weight.MEDIUM, PAPER)
    for place, call in enumerate(calls):
        draw_row(canvas, PORTRAIT_LIST, scene.series, call, 1560 + 178 * place)
