"""Lays out what a display shows. Pure: data and time in, shapes out."""

from nodes.display.draw import Align, Picture, Weight
from nodes.display.layout.call import draw_call
from nodes.display.layout.canvas import Canvas, Measure
from nodes.display.layout.emergency import draw_emergency
from nodes.display.layout.header import draw_header
from nodes.display.layout.rest import draw_rest
from nodes.display.layout.scene import Scene
from nodes.display.palette import INK, MIST, PAPER
from nodes.display.sizes import Screen
from nodes.display.words import Words

__all__ = ["Scene", "lay_out"]


def lay_out(scene: Scene, screen: Screen, words: Words, measure: Measure) -> Picture:
    """Lay out a scene. An emergency covers everything, then a call; between calls, `identify` shows the node's name."""
    if scene.hall and scene.hall.emergency:
        canvas = Canvas(screen, measure)
        draw_emergency(canvas, scene.hall.emergency)
    elif scene.announcement:
        canvas = Canvas(screen, measure)
        draw_call(canvas, scene, scene.announcement, words)
    elif scene.identify:
        canvas = Canvas(screen, measure)
        _draw_sentence(canvas, scene, scene.node)
    elif scene.hall:
        canvas = Canvas(screen, measure, scene.shift)
        draw_rest(canvas, scene, scene.hall, words)
    else:
        canvas = Canvas(screen, measure, scene.shift)
        _draw_sentence(canvas, scene, words.waiting_for_server, scene.node)
    return canvas.picture


def _draw_sentence(canvas: Canvas, scene: Scene, sentence: str, below: str = "") -> None:
    canvas.ground(INK)
    draw_header(canvas, scene)
    middle, room = canvas.width / 2, canvas.width - 120
    lines = canvas.wrap(sentence, Weight.SEMIBOLD, 138, room)
    top = canvas.height / 2 - 170 * (len(lines) - 1) / 2
    for place, line in enumerate(lines):
        em = canvas.fit(line, Weight.SEMIBOLD, 138, room)
        canvas.text(line, middle, top + 48 + 170 * place, em, Weight.SEMIBOLD, PAPER, Align.CENTRE)
    canvas.text(below, middle, top + 170 * len(lines) + 20, 54, Weight.REGULAR, MIST, Align.CENTRE)
