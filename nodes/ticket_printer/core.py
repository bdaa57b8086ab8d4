"""The dispenser's logic: presses, answers, printer results and time in; requests, paper and light out. Pure.

A press goes through these steps:

1. keep it on disk
2. ask the hub for a ticket
3. keep on disk that it is being printed
4. print it
5. keep the outcome on disk
6. tell the hub the outcome until it acknowledges it
7. forget it

After an interruption the next start continues from the disk: what may have come out is reported as unsure and never
printed again; what has not come out is abandoned. An appointment's code is not kept: the hub is asked, and its answer
is printed.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from nodes.events import (
    Commanded,
    Condition,
    Configured,
    Connected,
    Disconnected,
    Identify,
    Light,
    Message,
    PinChanged,
    PinsUnusable,
    PinsUsable,
    Publish,
    Tick,
    UsePins,
)
from nodes.named_pins import NamedPins
from nodes.ticket_printer.buttons import Buttons
from nodes.ticket_printer.check_ins import ASK_AGAIN_MS, Asked, CheckIns
from nodes.ticket_printer.events import (
    Forget,
    Keep,
    Kept,
    Print,
    PrintEnded,
    PrinterLooked,
    PrintTest,
)
from nodes.ticket_printer.keys import Keyboards
from nodes.ticket_printer.lights import Moment, Shining, at_rest
from nodes.ticket_printer.presses import Press
from nodes.ticket_printer.printer import Outcome
from nodes.ticket_printer.second_paper import SecondPaper
from nodes.ticket_printer.silence import Silence
from nodes.ticket_printer.spool import ENTRIES_MOST, Entry, Step
from nodes.ticket_printer.status import Condition as PrinterCondition
from nodes.ticket_printer.status import Fault
from protocol.heartbeat import HubTime
from protocol.ids import ENTROPY_BYTES, uuid7
from protocol.messages import (
    TICKET_ANSWER_MS,
    CheckIn,
    CheckInReply,
    CommandKind,
    Done,
    IssueTicket,
    NodeWarning,
    Parser,
    Refused,
    Reply,
    TicketPrinterConfig,
    TicketReply,
    encode,
)
from protocol.topics import NodeTopic, Topics

# Tickets asked for and not out yet. With more, a visitor would wait longer at the dispenser than in the queue.
PENDING_MOST = 8
TELL_AGAIN_MS = 5_000
ASKED_S, TOLD_S = TICKET_ANSWER_MS // 1000, 10
# A drawn ticket takes 1 to 3 s. While one hangs, presses are refused: they would take numbers that nobody holds.
PAPER_HANGS_MS = 10_000
STEP_AFTER = {Outcome.PRINTED: Step.PRINTED, Outcome.UNKNOWN: Step.UNSURE, Outcome.NOT_PRINTED: Step.ABANDONED}

_REPLY: Parser[Reply] = Parser(Reply)


class TicketPrinter:
    """One dispenser. `left_over`: the entries that an earlier run left in the spool."""

    def __init__(
        self,
        topics: Topics,
        node: str,
        hub_time: HubTime,
        entropy: Callable[[int], bytes],
        left_over: tuple[Entry, ...],
        now_ms: int,
    ) -> None:
        self._request = topics.node(node, NodeTopic.REQUEST)
        self._reply_topic = topics.node(node, NodeTopic.REPLY)
        self._hub_time = hub_time
        self._entropy = entropy
        self._now_ms = now_ms
        self._presses = {entry.id: Press(entry, now_ms, kept=True) for entry in left_over}
        self._to_resume = left_over
        self._config: TicketPrinterConfig | None = None
        self._buttons, self._pins = Buttons(()), NamedPins()
        self._connected = False
        self._printer = PrinterCondition()
        self._printing_since_ms: int | None = None
        self._second_paper = SecondPaper()
        self._check_ins = CheckIns()
        self._silence = Silence()
        self._keyboards = Keyboards()
        self._spool_failed = False
        self._identify_until_ms = 0
        self._shining = Shining()
        self._lit: bool | None = None

    def handle(self, event: object, now_ms: int) -> list[object]:
        self._now_ms = now_ms
        effects = [*self._resume(), *self._happened(event), *self._time_passed()]
        return [*effects, *self._shine()]

    def due_ms(self) -> int | None:
        due = [
            self._buttons.due_ms(),
            self._shining.due_ms,
            self._check_ins.due_ms(self._connected),
            *(each.due_ms(self._connected) for each in self._silence.to_serve(self._presses.values())),
        ]
        return min((each for each in due if each is not None), default=None)

    def condition(self) -> Condition:
        return Condition(stuck=self._buttons.stuck(self._now_ms), warnings=tuple(self._warnings()))

    def _warnings(self) -> Iterator[str]:
        yield from self._printer.warnings
        if self._spool_failed:
            yield NodeWarning.SPOOL_FAILED
        if self._silence.lasts:
            yield NodeWarning.HUB_SILENT
        if self._pins.unusable:
            yield NodeWarning.PINS_UNUSABLE
        if self._keyboards.away:
            yield NodeWarning.SCANNER_AWAY

    # --- what happens ---

    def _resume(self) -> Iterator[object]:
        """Continue, once and before anything else, where the earlier run was interrupted."""
        entries, self._to_resume = self._to_resume, ()
        for entry in entries:
            match entry.step:
                case Step.ASKED:
                    yield from self._keep(entry.id, Step.ABANDONED)
                case Step.PRINTING:
                    yield from self._keep(entry.id, Step.UNSURE)

    def _happened(self, event: object) -> Iterator[object]:
        match event:
            case PinChanged() | Message() | Configured() | Commanded():
                yield from self._told(event)
            case Kept(entry, failed):
                yield from self._kept(entry, failed)
            case PrintEnded(request_id, outcome, fault):
                yield from self._print_ended(request_id, outcome, fault)
            case PrinterLooked(condition):
                self._printer = condition
                yield from self._print_next()
            case Tick():
                # Only at a tick, when the inbox holds no edge: a level is not stable if its next edge is already there.
                for service in self._buttons.advance(self._now_ms):
                    yield from self._pressed(service)
                if self._pins.again(self._now_ms):
                    yield from self._use_pins()
            case _:
                self._noted(event)

    def _told(self, event: PinChanged | Message | Configured | Commanded) -> Iterator[object]:
        match event:
            case PinChanged(pin, pressed, at_ms):
                service = self._buttons.edge(pin, pressed, at_ms)
                if service is not None:
                    yield from self._pressed(service)
            case Message(topic, payload) if topic == self._reply_topic:
                yield from self._answered(_REPLY.parse(payload))
            case Configured(TicketPrinterConfig() as config):
                yield from self._configured(config)
            case Commanded(CommandKind.TEST_PRINT):
                yield from self._print_test()

    def _noted(self, event: object) -> None:
        """Handle the events that only change the state."""
        match event:
            case Connected():
                self._connected = True
                self._check_ins.connected(self._now_ms)
                for press in self._presses.values():
                    press.send_at_ms = self._now_ms
            case Disconnected():
                self._connected = False
            case Identify(until_ms):
                self._identify_until_ms = until_ms
            case PinsUnusable() | PinsUsable():
                self._buttons.settle()
                self._pins.tried(self._now_ms, usable=isinstance(event, PinsUsable))
            case _:
                code = self._keyboards.take(event)
                if code is not None:
                    self._scanned(code)

    def _configured(self, config: TicketPrinterConfig) -> Iterator[object]:
        self._config = config
        if self._pins.configured((config.buttons, config.led_pin)):
            yield from self._use_pins()

    def _use_pins(self) -> Iterator[object]:
        if self._config is not None:
            self._buttons = Buttons(self._config.buttons)
            self._lit = None
            yield UsePins(tuple(each.pin for each in self._config.buttons), self._config.led_pin)

    def _pressed(self, service: str) -> Iterator[object]:
        # While a silent hub is being told outcomes, its answer to one of them shows that presses work again.
        in_vain = self._silence.lasts and bool(self._presses)
        if in_vain or not self._ready() or self._full():
            self._show(Moment.REFUSED)
            return
        entry = Entry(self._new_id(), self._new_id(), service, Step.ASKED)
        self._presses[entry.id] = Press(entry, self._now_ms)
        yield Keep(entry)

    def _scanned(self, code: str) -> None:
        if self._check_ins.seen(code, self._now_ms):
            return
        if not code or not self._ready() or self._full():
            self._show(Moment.REFUSED)
            return
        self._check_ins.ask(self._new_id(), code, self._now_ms)

    def _ready(self) -> bool:
        printer_well = self._printer.fault is None and not self._paper_hangs()
        return self._config is not None and self._hub_there() and printer_well

    def _hub_there(self) -> bool:
        return self._connected and not self._hub_time.away(self._now_ms)

    def _paper_hangs(self) -> bool:
        since_ms = self._printing_since_ms
        return since_ms is not None and self._now_ms - since_ms >= PAPER_HANGS_MS

    def _full(self) -> bool:
        pending = len(self._check_ins) + sum(press.pending for press in self._presses.values())
        return pending >= PENDING_MOST or len(self._presses) >= ENTRIES_MOST

    def _new_id(self) -> str:
        # Without a beat presses are refused, so the hub's time is known here. It only makes ids sort by time.
        return uuid7(self._hub_now_ms() or 0, self._entropy(ENTROPY_BYTES))

    # --- down the line ---

    def _keep(self, request_id: str, step: Step) -> Iterator[object]:
        press = self._presses[request_id]
        press.entry = replace(press.entry, step=step)
        press.kept = False
        yield Keep(press.entry)

    def _kept(self, entry: Entry, failed: str | None) -> Iterator[object]:
        press = self._presses.get(entry.id)
        if press is None or press.entry != entry:
            return
        self._spool_failed = failed is not None
        press.kept = True
        press.send_at_ms = self._now_ms
        match entry.step:
            case Step.ASKED if failed:
                # Not on disk, so the hub is not asked: as if the button had not been pressed.
                del self._presses[entry.id]
                self._show(Moment.NO_ANSWER)
            case Step.PRINTING if failed:
                self._printing_since_ms = None
                yield from self._keep(entry.id, Step.ABANDONED)
                self._show(Moment.NO_ANSWER)
                yield from self._print_next()
            case Step.PRINTING if press.reply is not None and self._config is not None:
                yield Print(entry.id, press.reply, self._config)

    def _answered(self, reply: Reply) -> Iterator[object]:
        self._silence.answered()
        match reply:
            case TicketReply(id=request_id):
                press = self._presses.get(request_id)
                if press is not None and press.entry.step is Step.ASKED and press.reply is None:
                    press.reply = reply
                    yield from self._print_next()
            case CheckInReply() if self._check_ins.answered(reply):
                yield from self._print_next()
            case Refused(id=request_id) if self._check_ins.end(request_id):
                self._show(Moment.REFUSED)
            case Refused(id=request_id) if request_id in self._presses:
                # Nothing was issued, so there is nothing to abandon.
                if self._presses[request_id].entry.step is Step.ASKED:
                    self._show(Moment.REFUSED)
                    yield from self._forget(request_id)
            case Done(id=follow_id) | Refused(id=follow_id):
                told = [press for press in self._presses.values() if press.entry.follow_id == follow_id]
                for press in told:
                    yield from self._forget(press.entry.id)

    def _forget(self, request_id: str) -> Iterator[object]:
        del self._presses[request_id]
        yield Forget(request_id)

    def _print_next(self) -> Iterator[object]:
        """Print what is answered, one paper at a time, oldest first; drop all of it while the printer has a fault."""
        tickets = [press for press in self._presses.values() if press.answered]
        slips = self._check_ins.to_print()
        if self._printer.fault is not None:
            if slips or tickets:
                self._show(Moment.NO_ANSWER)
            for slip in slips:
                self._check_ins.end(slip.id)
            for press in tickets:
                yield from self._keep(press.entry.id, Step.ABANDONED)
            return
        if self._printing_since_ms is not None or self._config is None:
            return
        if slips and (not tickets or slips[0].asked_ms < tickets[0].pressed_ms):
            self._printing_since_ms = self._now_ms
            yield Print(slips[0].id, slips[0].reply, self._config, self._hub_now_ms())
        elif tickets:
            self._printing_since_ms = self._now_ms
            yield from self._keep(tickets[0].entry.id, Step.PRINTING)
        else:
            yield from self._print_second_paper()

    def _print_second_paper(self) -> Iterator[object]:
        """Print a whole ticket, marked as a duplicate, for a visitor who got half of one when the paper ran out."""
        if self._config is None or not self._printer.answered:
            return
        reply = self._second_paper.take(self._now_ms)
        if reply is not None:
            self._printing_since_ms = self._now_ms
            yield Print(None, reply, self._config, self._hub_now_ms(), duplicate=True)

    def _print_test(self) -> Iterator[object]:
        if self._config is not None and self._printing_since_ms is None:
            self._printing_since_ms = self._now_ms
            yield PrintTest(self._config, self._hub_now_ms())

    def _hub_now_ms(self) -> int | None:
        return self._hub_time.hub_now_ms(self._now_ms)

    def _print_ended(self, request_id: str | None, outcome: Outcome, fault: Fault | None) -> Iterator[object]:
        self._printing_since_ms = None
        self._printer = replace(self._printer, fault=fault)
        press = self._presses.get(request_id or "")
        ended = press or self._check_ins.end(request_id or "")
        if request_id is None:
            self._second_paper.ended(outcome, fault)
        if ended is not None:
            self._second_paper.note(ended.reply, outcome, fault, self._now_ms)
            if outcome is Outcome.NOT_PRINTED:
                self._show(Moment.NO_ANSWER)
        if press is not None:
            yield from self._keep(press.entry.id, STEP_AFTER[outcome])
        yield from self._print_next()

    # --- as time passes ---

    def _time_passed(self) -> Iterator[object]:
        for press in list(self._silence.to_serve(self._presses.values())):
            due_ms = press.due_ms(self._connected)
            if due_ms is not None and self._now_ms >= due_ms:
                yield from self._due(press)
        for asked in self._check_ins.due(self._connected, self._now_ms):
            yield from self._ask_check_in(asked)

    def _due(self, press: Press) -> Iterator[object]:
        entry = press.entry
        if entry.step is Step.ASKED:
            if self._now_ms >= press.given_up_ms:
                self._unanswered()
                yield from self._keep(entry.id, Step.ABANDONED)
                return
            press.send_at_ms = self._now_ms + ASK_AGAIN_MS
            yield Publish(self._request, encode(IssueTicket(id=entry.id, service=entry.service)), expiry_s=ASKED_S)
            return
        press.send_at_ms = self._now_ms + TELL_AGAIN_MS
        yield Publish(self._request, encode(press.word()), expiry_s=TOLD_S)

    def _ask_check_in(self, asked: Asked) -> Iterator[object]:
        if self._now_ms >= asked.given_up_ms:
            self._check_ins.end(asked.id)
            self._unanswered()
            return
        yield Publish(self._request, encode(CheckIn(id=asked.id, code=asked.code)), expiry_s=ASKED_S)

    def _unanswered(self) -> None:
        self._show(Moment.NO_ANSWER)
        if self._hub_there():
            self._silence.given_up()

    # --- the lamp ---

    def _show(self, moment: Moment) -> None:
        self._shining.flash(moment, self._now_ms)

    def _shine(self) -> Iterator[object]:
        if self._config is None:
            return
        lit = self._shining.lit(self._at_rest(), self._now_ms)
        if lit != self._lit:
            self._lit = lit
            yield Light(lit)

    def _at_rest(self) -> Moment:
        pending = len(self._check_ins) or any(press.pending for press in self._presses.values())
        return at_rest(
            identify=self._now_ms < self._identify_until_ms,
            busy=self._printing_since_ms is not None or bool(pending),
            paper_hangs=self._paper_hangs(),
            printer_well=self._printer.fault is None,
            hub_there=self._hub_there() and not self._silence.lasts,
        )
