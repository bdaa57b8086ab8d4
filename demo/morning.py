"""Plays the script: visitors press the dispenser's buttons; agents log in, sign on, and use their button or page."""

import asyncio
from collections.abc import Callable
from random import Random

from demo.board import Board
from demo.citizens import play_bookings
from demo.clicks import DeskNow, Screen
from demo.hall import Desk, Hall, Node
from demo.hands import Hands
from demo.options import Options
from demo.people import AGENTS, Member
from demo.publik import Publik
from demo.script import PAUSE_S, Ending, Visit, gaps, pick_letter, plan_visit
from demo.stage import Stage

# How long a hand holds a button. SPEED does not apply: these are the button's rules.
SHORT_S, LONG_S, VERY_LONG_S = 0.25, 1.7, 4.4
LOOK_PERIOD_S = 0.5
# A lamp that is on for this long says that a press would call somebody: its other signs have gaps.
STEADY_S = 1.0
STEADY_STEP_S = 0.05
# A gesture reaches the hub and comes back as a new state within this time.
ANSWER_S = 3.0
CALLS_SHOWN = 5
# Nobody comes in while more people wait: the hall is full.
WAITING_MOST = 26
# How likely a free desk with a parked ticket resumes it before it calls somebody else.
RESUME_SHARE = 0.5
# An agent who finds somebody else signed on at the desk checks again after this time whether they have left.
BACK_AFTER_S = 15.0

Call = tuple[str, str]


async def play_morning(
    options: Options,
    hall: Hall,
    stage: Stage,
    board: Board,
    *,
    hands: Hands,
    publik: Publik,
    scan: Callable[[str], None],
) -> None:
    """Play until cancelled. `scan(code)` scans a confirmation at the dispenser."""
    one_login = asyncio.Lock()
    screens = [Screen(stage.hub_url, agent.account, one_login) for agent in AGENTS]
    look = Look(screens[0], board, hall)
    try:
        async with asyncio.TaskGroup() as people:
            people.create_task(look.run())
            people.create_task(_visitors(Random(options.seed), options.speed, hall, hands, look))
            people.create_task(play_bookings(Random(options.seed), options.speed, hall, publik, scan))
            for order, (desk, member, screen) in enumerate(zip(hall.desks, AGENTS, screens, strict=True)):
                dice = Random(f"{options.seed} {desk.name}")
                agent = Agent(
                    dice, options.speed, hall, desk, member, board=board, hands=hands, screen=screen, look=look
                )
                people.create_task(agent.work(after_s=order * 0.4))
    finally:
        for screen in screens:
            await screen.close()


class TakenOver(Exception):
    """Somebody else is signed on at the desk now; it is theirs until they leave."""


class Look:
    """What all agents see on their screens, queried once for all. `desks` is None while the hub is away."""

    def __init__(self, screen: Screen, board: Board, hall: Hall) -> None:
        self._screen = screen
        self._board = board
        self._plaques = {desk.name: desk.number for desk in hall.desks}
        self._calls: list[Call] = []
        self.desks: dict[str, DeskNow] | None = None
        self._waiting = 0
        self._looked = asyncio.Condition()

    async def run(self) -> None:
        # The hub's last answer: a ticket that is still held when the hub is back was not called again.
        before: dict[str, DeskNow] = {}
        while True:
            self.desks = await self._screen.desks()
            if self.desks is not None:
                self._show(before, self.desks)
                before = self.desks
            self._waiting = await self._screen.waiting() or 0
            async with self._looked:
                self._looked.notify_all()
            await asyncio.sleep(LOOK_PERIOD_S)

    def _show(self, before: dict[str, DeskNow], desks: dict[str, DeskNow]) -> None:
        called = [
            (now.held, self._plaques[desk])
            for desk, now in desks.items()
            if now.held is not None and (desk not in before or before[desk].held != now.held)
        ]
        self._calls = [*called, *(call for call in self._calls if call not in called)][:CALLS_SHOWN]
        self._board.show("hub", calls=self._calls, desks={desk: (now.mode, now.held) for desk, now in desks.items()})

    async def until_known(self) -> None:
        """Wait until the hub answers."""
        async with self._looked:
            await self._looked.wait_for(lambda: self.desks is not None)

    async def until_room(self, most: int) -> None:
        async with self._looked:
            await self._looked.wait_for(lambda: self._waiting <= most)


async def _visitors(dice: Random, speed: int, hall: Hall, hands: Hands, look: Look) -> None:
    letters = {service.letter: service for service in hall.services if service.name in hall.dispenser.pins}
    for gap_s in gaps(dice):
        await asyncio.sleep(gap_s / speed)
        await look.until_room(WAITING_MOST)
        service = letters[pick_letter(dice, list(letters))]
        await _hold(hands, hall.dispenser, hall.dispenser.pins[service.name], SHORT_S)


async def _hold(hands: Hands, node: Node, pin: int, length_s: float) -> None:
    holder = object()
    hands.press(holder, node.name, pin)
    try:
        await asyncio.sleep(length_s)
    finally:
        hands.release(holder, node.name, pin)


class Agent:
    """One agent at one desk, with a button, its lamp and a page."""

    def __init__(
        self,
        dice: Random,
        speed: int,
        hall: Hall,
        desk: Desk,
        member: Member,
        *,
        board: Board,
        hands: Hands,
        screen: Screen,
        look: Look,
    ) -> None:
        self._dice = dice
        self._speed = speed
        self._hall = hall
        self._desk = desk
        self._account = member.account
        self._button = hall.buttons[desk.name]
        self._board = board
        self._hands = hands
        self._screen = screen
        self._look = look
        self._parked = False

    async def work(self, after_s: float) -> None:
        """Work all morning."""
        await asyncio.sleep(after_s)
        while True:
            try:
                await self._at_the_desk()
            except TakenOver:
                await asyncio.sleep(BACK_AFTER_S)

    async def _at_the_desk(self) -> None:
        """Open the desk and work there. Raises TakenOver, as does every method that calls `_look_up`."""
        await self._look_up()
        await self._look.until_known()
        now = self._now()
        if now is not None and now.mode != "open":
            await self._open()
        while True:
            now = self._now()
            if now is None:
                await asyncio.sleep(LOOK_PERIOD_S)
            elif now.mode != "open" and now.held is None:
                await self._come_back()
            elif now.held is None:
                await self._call()
            else:
                await self._serve(now.held)

    async def _look_up(self) -> None:
        """Before each action, sign on if nobody is. Raises TakenOver if somebody else is, unless the hub is away."""
        agent = await self._screen.agent_at(self._desk.name)
        if agent == "":
            await self._screen.sign_on(self._desk.name)
        elif agent not in {self._account, None}:
            raise TakenOver

    def _now(self) -> DeskNow | None:
        return self._look.desks.get(self._desk.name) if self._look.desks else None

    async def _come_back(self) -> None:
        """Return from a pause, whoever asked for it."""
        await self._script(PAUSE_S)
        now = self._now()
        if now is not None and now.mode != "open":
            await self._open()

    async def _open(self) -> None:
        await self._hold(VERY_LONG_S)
        await self._until(lambda now: now.mode == "open")

    async def _call(self) -> None:
        if self._parked and self._dice.random() < RESUME_SHARE:
            self._parked = False
            await self._look_up()
            await self._screen.resume(self._desk.name)
            await self._change(None)
        elif await self._lamp_says_somebody():
            await self._hold(SHORT_S)
            await self._change(None)

    async def _serve(self, number: str) -> None:
        await self._look_up()
        visit = plan_visit(self._dice, number[:1])
        if not await self._arrives(number, visit):
            return
        if self._desk.confirms_arrivals:
            await self._screen.click(self._desk.name, "start")
        if await self._script(visit.length_s, holding=number):
            await self._end(number, visit.ending)

    async def _arrives(self, number: str, visit: Visit) -> bool:
        """Wait for the visitor; False if nobody came, or the desk holds another ticket by now."""
        if not await self._script(visit.walk_s, holding=number):
            return False
        if not visit.recall:
            return True
        await self._hold(LONG_S)
        if not await self._script(2 * visit.walk_s, holding=number):
            return False
        if not visit.comes:
            await self._screen.click(self._desk.name, "absent")
            await self._change(number)
        return visit.comes

    async def _end(self, number: str, ending: Ending) -> None:
        await self._look_up()
        match ending:
            case Ending.BUTTON:
                await self._hold(SHORT_S)
            case Ending.PAGE:
                await self._screen.click(self._desk.name, "next")
            case Ending.TRANSFER:
                await self._screen.transfer(self._desk.name, self._other_service())
            case Ending.PARK:
                await self._screen.click(self._desk.name, "park")
                self._parked = True
            case Ending.PAUSE:
                await self._hold(VERY_LONG_S)
                await asyncio.sleep(1.0)
                await self._hold(SHORT_S)
        await self._change(number)

    def _other_service(self) -> str:
        others = [service.name for service in self._hall.services if service.name not in self._desk.serves]
        return self._dice.choice(others)

    async def _lamp_says_somebody(self) -> bool:
        for _ in range(round(STEADY_S / STEADY_STEP_S)):
            if not self._board.part(self._button.name).get("led"):
                await asyncio.sleep(LOOK_PERIOD_S)
                return False
            await asyncio.sleep(STEADY_STEP_S)
        now = self._now()
        return now is not None and now.held is None and now.mode == "open"

    async def _script(self, length_s: float, holding: str | None = None) -> bool:
        """Let seconds of the script pass; False as soon as the desk no longer holds that ticket."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + length_s / self._speed
        while (rest_s := until_s - loop.time()) > 0:
            await asyncio.sleep(min(rest_s, LOOK_PERIOD_S))
            now = self._now()
            if holding is not None and now is not None and now.held != holding:
                return False
        return True

    async def _change(self, before: str | None) -> None:
        """Wait until the desk no longer holds that ticket, for at most ANSWER_S."""
        await self._until(lambda now: now.held != before)

    async def _until(self, true: Callable[[DeskNow], bool]) -> None:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + ANSWER_S
        while loop.time() < until_s:
            now = self._now()
            if now is not None and true(now):
                return
            await asyncio.sleep(LOOK_PERIOD_S / 2)

    async def _hold(self, length_s: float) -> None:
        await self._look_up()
        await _hold(self._hands, self._button, self._button.button_pin, length_s)
