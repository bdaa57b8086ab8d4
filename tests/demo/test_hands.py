"""Presses that the demo plays on pins, as the nodes recognise them."""

import asyncio
from collections.abc import Callable

from demo.hands import DOWN_LEAST_S, Hands
from nodes.debounce import STABLE_MS
from nodes.desk_button.gestures import GAP_MS, Gestures, Kind

NODE, PIN = "button-3", 17


def felt(play: Callable[[Hands], None]) -> list[Kind]:
    """The gestures that a button recognises in what is played."""

    async def played() -> list[Kind]:
        loop = asyncio.get_running_loop()
        button, made, up = Gestures(), [], asyncio.Event()

        def drive(_node: str, _pin: int, pressed: bool) -> None:
            made.append(button.edge(pressed, round(loop.time() * 1000)))
            if not pressed:
                up.set()

        play(Hands(drive))
        await asyncio.wait_for(up.wait(), 20)
        made.append(button.advance(round(loop.time() * 1000) + GAP_MS))
        return [gesture.kind for gesture in made if gesture]

    return asyncio.run(played())


def test_a_click_that_takes_no_time_is_a_press():
    def click(hands: Hands) -> None:
        hands.press("page", NODE, PIN)
        hands.release("page", NODE, PIN)

    assert felt(click) == [Kind.SHORT]
    assert DOWN_LEAST_S * 1000 > 2 * STABLE_MS


def test_two_such_clicks_at_once_are_one_press():
    def clicks(hands: Hands) -> None:
        for _ in range(2):
            hands.press("page", NODE, PIN)
            hands.release("page", NODE, PIN)

    assert felt(clicks) == [Kind.SHORT]


def test_a_page_that_goes_away_during_its_click_has_pressed():
    def click(hands: Hands) -> None:
        hands.press("page", NODE, PIN)
        hands.let_go("page")

    assert felt(click) == [Kind.SHORT]


def test_a_button_stays_down_until_the_last_hand_leaves_it():
    async def moved() -> list[bool]:
        moves, up = [], asyncio.Event()

        def drive(_node: str, _pin: int, pressed: bool) -> None:
            moves.append(pressed)
            if not pressed:
                up.set()

        hands = Hands(drive)
        hands.press("agent", NODE, PIN)
        hands.press("visitor", NODE, PIN)
        hands.release("agent", NODE, PIN)
        hands.release("agent", NODE, PIN)
        await asyncio.sleep(2 * DOWN_LEAST_S)
        assert moves == [True]
        hands.let_go("visitor")
        await asyncio.wait_for(up.wait(), 20)
        return moves

    assert asyncio.run(moved()) == [True, False]


def test_a_hand_that_stays_longer_keeps_the_pin_down():
    async def held() -> list[bool]:
        moved: list[bool] = []
        hands = Hands(lambda _node, _pin, pressed: moved.append(pressed))
        hands.press("page", NODE, PIN)
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(2 * DOWN_LEAST_S, over.set)
        await over.wait()
        still = [*moved]
        hands.release("page", NODE, PIN)
        assert moved == [True, False]
        return still

    assert asyncio.run(held()) == [True]
