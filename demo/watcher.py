"""Watches the programs for the page: their processes, their sockets, and the hub's health."""

import asyncio
import contextlib
import time
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from demo.board import Board, Part
from demo.control import Control
from demo.hall import Hall, Node, read_forms
from demo.hands import Hands
from demo.processes import Crew, ProcessState
from demo.publik import Publik, in_view
from demo.slot import Slot
from demo.stage import APPOINTMENTS_FILE, Stage

HEALTH_PERIOD_S = 0.7
HEALTH_TIMEOUT_S = 2.0
LOOK_PERIOD_S = 1.0
PAPERS_SHOWN = 3


class Watcher:
    """Keeps one part of the board for each program: `up`, `starting`, `silent`, `frozen` or `ended`."""

    def __init__(self, board: Board, hall: Hall, stage: Stage) -> None:
        self._board = board
        self._stage = stage
        self._processes: dict[str, ProcessState] = {}
        # The broker is not queried: the nodes show whether they reach it.
        self._answers: dict[str, bool] = {"broker": True}
        self._heard: set[str] = set()
        self._pressed: dict[str, set[int]] = {}
        self._dispenser = hall.dispenser.name
        self._slot = Slot()
        self._nodes = {node.name: node for node in hall.nodes}
        self._controls = {node.name: self._control(node) for node in hall.nodes}
        self._zone = ZoneInfo(hall.zone)
        letters = {service.name: service.letter for service in hall.services}
        self._letters = {form: letters[service] for form, service in read_forms(APPOINTMENTS_FILE).items()}
        self.publik = Publik(stage.publik_url)
        self.hands = Hands(self._drive)
        self.crew = Crew(self._process)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.crew.watch())
            tasks.create_task(self._ask_hub())
            tasks.create_task(self._ask_publik())
            for control in self._controls.values():
                tasks.create_task(control.run())

    def scan(self, code: str) -> None:
        """Scan a confirmation at the dispenser."""
        self._slot.ask(time.monotonic())
        self._controls[self._dispenser].send({"type": "code", "code": code})

    def viewer_scanned(self, code: str) -> None:
        """Scan a confirmation for a viewer of the page."""
        self.scan(code)
        self._slot.claim()

    def viewer_pressed(self, node: str) -> None:
        """Note that a viewer of the page made the last press on a node."""
        if node == self._dispenser:
            self._slot.claim()

    def restart(self, part: str) -> None:
        """Restart the program behind a part if it has stopped."""
        for name in {node.name for node in self._nodes.values()} | {"hub", "broker", "publik"}:
            if self._part(name) == part:
                self.crew.restart(name)

    def _control(self, node: Node) -> Control:
        return Control(
            self._stage.node_folder(node.name),
            lambda line: self._line(node, line),
            lambda up: self._answer(node.name, up),
        )

    def _drive(self, node: str, pin: int, pressed: bool) -> None:
        self._controls[node].drive(pin, pressed=pressed)
        if pressed and node == self._dispenser:
            self._slot.ask(time.monotonic())
        pins = self._pressed.setdefault(node, set())
        (pins.add if pressed else pins.discard)(pin)
        self._board.show(self._part(node), pressed=sorted(pins))

    def _line(self, node: Node, line: dict[str, Any]) -> None:
        part = self._part(node.name)
        if "led" in line:
            self._board.show(part, led=line["on"])
        if "frame" in line:
            self._board.show(part, frame=line["frame"])
        if "paper" in line and line["paper"] not in self._board.part(part).get("papers", ()):
            self._board.show(part, **self._papers(self._board.part(part), line["paper"]))

    def _papers(self, before: Part, paper: str) -> Part:
        """The papers to show after another one: the newest ones, and the viewer's last one as long as there is one."""
        papers = [paper, *before.get("papers", ())]
        yours = paper if self._slot.take(time.monotonic()) else before.get("yours")
        shown = papers[:PAPERS_SHOWN]
        if yours is not None and yours not in shown:
            shown[-1] = yours
        return {"papers": shown, "yours": yours}

    def _process(self, name: str, state: ProcessState) -> None:
        self._processes[name] = state
        if state is ProcessState.ENDED and name != "broker":
            # Its answers say nothing about the process that replaces it.
            self._answers[name] = False
            self._heard.discard(name)
        self._show_state(name)

    def _answer(self, name: str, answers: bool) -> None:
        self._answers[name] = answers
        if answers:
            self._heard.add(name)
        self._show_state(name)

    def _show_state(self, name: str) -> None:
        process = self._processes.get(name)
        if process is None:
            state = "starting"
        elif process is not ProcessState.RUNNING:
            state = str(process)
        elif self._answers.get(name):
            state = "up"
        else:
            state = "silent" if name in self._heard else "starting"
        self._board.show(self._part(name), state=state)

    def _part(self, name: str) -> str:
        """A program's part: its name, but the role for the display and the dispenser, since there is one of each."""
        node = self._nodes.get(name)
        return {"display": "display", "ticket_printer": "dispenser"}.get(node.role, name) if node else name

    async def _ask_hub(self) -> None:
        async with httpx.AsyncClient(base_url=self._stage.hub_url, timeout=HEALTH_TIMEOUT_S, trust_env=False) as client:
            while True:
                answers = False
                # Any status counts: a hub that reports a problem is not down.
                with contextlib.suppress(httpx.HTTPError):
                    await client.get("/healthz")
                    answers = True
                self._answer("hub", answers)
                await asyncio.sleep(HEALTH_PERIOD_S)

    async def _ask_publik(self) -> None:
        while True:
            forms = await self.publik.forms()
            if forms is not None:
                now = datetime.now(self._zone).replace(tzinfo=None)
                self._board.show("publik", bookings=in_view(forms, self._letters, now))
            self._answer("publik", forms is not None)
            await asyncio.sleep(LOOK_PERIOD_S)
