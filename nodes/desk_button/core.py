"""The desk button's logic: edges, messages and time in; requests and light out. Pure."""

from collections.abc import Callable

from nodes.desk_button.gestures import Gesture, Gestures
from nodes.desk_button.lights import Moment, View, at_rest, lamp
from nodes.desk_button.press import Presses, Send
from nodes.events import (
    Condition,
    Configured,
    Connected,
    Disconnected,
    Follow,
    HubAnew,
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
from nodes.lamp import FlashLimit
from nodes.named_pins import NamedPins
from protocol.heartbeat import HubTime
from protocol.messages import BEAT_LOST_MS, BadMessage, DeskButtonConfig, DeskState, NodeWarning, Parser, Reply
from protocol.topics import NodeTopic, Topics

_REPLY: Parser[Reply] = Parser(Reply)
_DESK_STATE: Parser[DeskState] = Parser(DeskState)


class DeskButton:
    """One button and its lamp."""

    def __init__(
        self, topics: Topics, node: str, hub_time: HubTime, entropy: Callable[[int], bytes], now_ms: int
    ) -> None:
        self._topics = topics
        self._request = topics.node(node, NodeTopic.REQUEST)
        self._reply = topics.node(node, NodeTopic.REPLY)
        self._hub_time = hub_time
        self._gestures = Gestures()
        self._presses = Presses(hub_time, entropy)
        self._config: DeskButtonConfig | None = None
        self._desk: DeskState | None = None
        # The desk's state when the contact closed: the agent decided on a very long press by that state.
        self._desk_pressed: DeskState | None = None
        self._desk_heard = False
        self._anew_ms = now_ms
        self._connected = False
        self._pins = NamedPins()
        self._now_ms = self._started_ms = now_ms
        self._identify: tuple[int, int] | None = None
        self._rest = Moment.LOST, now_ms
        self._lamp_due_ms: int | None = None
        self._lit: bool | None = None
        self._flash_limit = FlashLimit()

    def handle(self, event: object, now_ms: int) -> list[object]:
        self._now_ms = now_ms
        effects = self._happened(event, now_ms)
        self._rest_at(now_ms)
        return [*effects, *self._shine(now_ms)]

    def due_ms(self) -> int | None:
        due = (self._gestures.due_ms(), self._presses.due_ms(), self._lamp_due_ms)
        return min((each for each in due if each is not None), default=None)

    def condition(self) -> Condition:
        stuck = self._gestures.stuck(self._now_ms) and self._config is not None
        return Condition(
            stuck=(self._config.button_pin,) if stuck and self._config else (),
            warnings=(NodeWarning.PINS_UNUSABLE,) if self._pins.unusable else (),
        )

    def _happened(self, event: object, now_ms: int) -> list[object]:
        match event:
            case Tick():
                return [*self._pins_again(now_ms), *self._time_passed(now_ms)]
            case PinChanged(pin, pressed, at_ms):
                return self._edge(pin, pressed, at_ms, now_ms)
            case HubAnew():
                self._desk_heard, self._anew_ms = False, now_ms
            case Message(topic, payload):
                self._arrived(topic, payload, now_ms)
            case Configured(DeskButtonConfig() as config):
                return self._configured(config)
            case Connected():
                self._connected = True
                return self._publish(self._presses.again(now_ms))
            case Disconnected():
                self._connected = False
            case Identify(until_ms):
                self._identify = now_ms, until_ms
            case PinsUnusable() | PinsUsable():
                self._gestures.settle()
                self._pins.tried(now_ms, usable=isinstance(event, PinsUsable))
        return []

    def _edge(self, pin: int, pressed: bool, at_ms: int, now_ms: int) -> list[object]:
        if self._config is None or pin != self._config.button_pin:
            return []
        made = self._gesture(self._gestures.edge(pressed, at_ms), now_ms)
        if pressed and self._gestures.held_since_ms is None:
            self._desk_pressed = self._desk
        return made

    def _time_passed(self, now_ms: int) -> list[object]:
        # Only at a tick, when the inbox holds no edge: a level is not stable if its next edge is already there.
        made = self._gesture(self._gestures.advance(now_ms), now_ms)
        return made or self._publish(self._presses.advance(now_ms))

    def _gesture(self, gesture: Gesture | None, now_ms: int) -> list[object]:
        if gesture is None:
            return []
        return self._publish(self._presses.gesture(gesture, self._desk_pressed, now_ms))

    def _publish(self, send: Send | None) -> list[object]:
        return [] if send is None else [Publish(self._request, send.payload, expiry_s=send.expiry_s)]

    def _arrived(self, topic: str, payload: bytes, now_ms: int) -> None:
        if topic == self._reply:
            self._presses.replied(_REPLY.parse(payload), now_ms)
            return
        if self._config is None or topic != self._topics.desk_state(self._config.desk):
            return
        if not payload:
            # Cleared: the retained state was from a hub run whose site file still had this desk.
            self._desk_heard = False
            return
        desk = _DESK_STATE.parse(payload)
        if desk.desk != self._config.desk:
            raise BadMessage(f"the state of desk {desk.desk} came on the topic of desk {self._config.desk}")
        if self._desk is None or not self._desk_heard or desk.revision > self._desk.revision:
            self._desk, self._desk_heard = desk, True

    def _configured(self, config: DeskButtonConfig) -> list[object]:
        before, self._config = self._config, config
        if before is not None and before.desk != config.desk:
            self._desk = self._desk_pressed = None
            self._presses.drop()
        effects: list[object] = [Follow((self._topics.desk_state(config.desk),))]
        if self._pins.configured((config.button_pin, config.led_pin)):
            effects.append(self._use_pins(config))
        return effects

    def _pins_again(self, now_ms: int) -> list[object]:
        if self._config is None or not self._pins.again(now_ms):
            return []
        return [self._use_pins(self._config)]

    def _use_pins(self, config: DeskButtonConfig) -> UsePins:
        self._gestures = Gestures()
        self._lit = None
        return UsePins((config.button_pin,), config.led_pin)

    def _rest_at(self, now_ms: int) -> None:
        lost = not self._connected or self._hub_time.away(now_ms)
        # A restarted hub that sends no state for this desk no longer knows it; the old state then counts no more.
        left_out = not self._desk_heard and now_ms - self._anew_ms >= BEAT_LOST_MS
        moment = at_rest(lost=lost or left_out, desk=self._desk)
        if moment is not self._rest[0]:
            self._rest = moment, now_ms

    def _shine(self, now_ms: int) -> list[object]:
        view = View(
            started_ms=self._started_ms,
            rest=self._rest,
            identify=self._identify,
            held_since_ms=self._gestures.held_since_ms,
            sent_ms=self._presses.since_ms,
            answer=self._presses.answer,
        )
        shown = self._flash_limit.limited(lamp(view, now_ms), now_ms)
        self._lamp_due_ms = shown.until_ms
        if self._config is None or shown.lit == self._lit:
            return []
        self._lit = shown.lit
        return [Light(shown.lit)]
