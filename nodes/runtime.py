"""What every node does around its role's core: link, status, echo, telemetry, configuration, commands, watchdog.

Threads and callbacks put events into the inbox; one worker takes them out, calls the core and performs its effects. A
role with its own main loop (a screen's frames) calls `step` from there; the others call `run`.
"""

import os
import queue
import signal
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from types import FrameType
from typing import Any

import structlog

from nodes.events import (
    Commanded,
    Configured,
    Connected,
    Core,
    Disconnected,
    Follow,
    HubAnew,
    Identify,
    Message,
    Publish,
    Tick,
)
from nodes.kept_config import KeptConfig, usable_folder
from nodes.settings import Settings
from nodes.telemetry import Reports
from protocol.heartbeat import GiveUp, Heartbeat, HubTime, Reconnect, SendEcho
from protocol.link import Incoming, Link, LinkDown, LinkUp, Publication, PublishRefused, monotonic_ms
from protocol.messages import (
    BadMessage,
    Beat,
    CommandKind,
    Echo,
    HubStatus,
    NodeCommand,
    NodeConfig,
    NodeStatus,
    NodeWarning,
    Parser,
    Revision,
    Role,
    encode,
)
from protocol.outages import Outages
from protocol.systemd import Notifier
from protocol.topics import NodeTopic

TICK_MS = 1_000
IDENTIFY_MS = 30_000
# Above this length the inbox drops MQTT messages: states are published again, and requests are resent.
INBOX_MOST = 2_000
# Events in one step. Further ones wait for the next step, so that a screen does not draw its frame late.
STEP_MOST = 200
COMMANDS_REMEMBERED = 32
BOOT_BYTES = 8
# sysexits.h: 'try again later'; systemd starts the program again.
RESTART_STATUS = 75

_ECHO: Parser[Echo] = Parser(Echo)
_BEAT: Parser[Beat] = Parser(Beat)
_HUB_STATUS: Parser[HubStatus] = Parser(HubStatus)
_COMMAND: Parser[NodeCommand] = Parser(NodeCommand)
_CONFIG: Parser[NodeConfig] = Parser(NodeConfig)


@dataclass(frozen=True, slots=True)
class _Stop:
    """SIGTERM or SIGINT came."""


class Inbox:
    """The one queue between a node's threads. `put` may be called from any thread and from a signal handler."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[object] = queue.SimpleQueue()

    def put(self, event: object) -> None:
        if isinstance(event, Incoming) and self._queue.qsize() >= INBOX_MOST:
            return
        self._queue.put(event)

    def take(self, timeout_s: float) -> object | None:
        """The next event, or None if none came within the time."""
        try:
            return self._queue.get(timeout=timeout_s) if timeout_s > 0 else self._queue.get_nowait()
        except queue.Empty:
            return None


class Runtime:
    """One node's program around one core.

    `perform` does the role's own effects on the worker's thread. `session_s`: for how long the broker keeps messages
    for this node while the link is lost. Raises WrongSetting if the state folder cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        role: Role,
        core: Core,
        perform: Callable[[object], None],
        *,
        inbox: Inbox,
        hub_time: HubTime,
        environ: Mapping[str, str],
        session_s: int = 0,
        clock_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._node = settings.node
        self._topics = settings.node.topics
        self._role = role
        self._core = core
        self._perform = perform
        self._inbox = inbox
        self._hub_time = hub_time
        self._version = version("suivant")
        # Identifies this run.
        self._boot = os.urandom(BOOT_BYTES).hex()
        self._clock_ms = clock_ms
        self._log = structlog.get_logger().bind(role=str(role))
        started_ms = clock_ms()
        self._reports = Reports(started_ms)
        self._heartbeat = Heartbeat(started_ms)
        self._kept = KeptConfig(usable_folder(settings.node))
        self._notifier = Notifier(environ)
        self._link = Link(
            settings.broker,
            self._node.node,
            inbox.put,
            will=self._status(online=False),
            session_s=session_s,
            clock_ms=clock_ms,
        )
        self._followed: tuple[str, ...] = ()
        # Of the last configuration received in this run. The kept one does not count: it may be another hub's, and the
        # first one received is newer.
        self._config_revision: Revision | None = None
        self._hub_boot: str | None = None
        self._commands_done: deque[str] = deque(maxlen=COMMANDS_REMEMBERED)
        self._bad_messages = 0
        # Telemetry's warning about it: a restart without the hub would find no configuration, or an outdated one.
        self._not_kept: tuple[str, ...] = ()
        self._outages = Outages()
        self._hub_away = True
        self._exit_status: int | None = None
        self._signals_before: dict[int, Any] = {}
        self._tick_at_ms = self._alive_at_ms = started_ms
        # mosquitto sends retained messages in this order: hub_status, which identifies the hub's run, comes first.
        self._on_topic: dict[str, Callable[[Incoming, int], None]] = {
            self._topics.hub_status: self._hub_said,
            self._own(NodeTopic.CONFIG): self._configured,
            self._own(NodeTopic.ECHO): self._echoed,
            self._own(NodeTopic.COMMAND): self._commanded,
            self._topics.hub_beat: self._beat,
        }

    def run(self) -> int:
        """Run until a signal, a restart command or a dead link ends it; returns the program's exit status."""
        self.start()
        try:
            while True:
                status = self.step(self._patience_s())
                if status is not None:
                    return status
        finally:
            self.close()

    def start(self) -> None:
        """Install the signal handlers, hand the kept configuration to the core, and start the link."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._signals_before[number] = signal.signal(number, self._on_signal)
        self._log.info("node.started", version=self._version, boot=self._boot, site=self._node.site)
        self._link.subscribe([*self._on_topic, self._own(NodeTopic.REPLY)])
        self._use_kept_config()
        self._link.start()
        self._notifier.ready()

    def step(self, timeout_s: float = 0.0) -> int | None:
        """Do what came in, waiting at most `timeout_s` for it, and what is due; returns the exit status or None."""
        event = self._inbox.take(timeout_s)
        taken = 0
        while event is not None and self._exit_status is None:
            self._take(event)
            taken += 1
            event = self._inbox.take(0) if taken < STEP_MOST else None
        if self._exit_status is None:
            self._do_what_is_due(self._clock_ms())
        return self._exit_status

    def close(self) -> None:
        self._notifier.stopping()
        self._link.close(self._status(online=False))
        for number, before in self._signals_before.items():
            signal.signal(number, before)
        self._log.info("node.stopped", status=self._exit_status)

    def _own(self, topic: NodeTopic) -> str:
        return self._topics.node(self._node.node, topic)

    def _status(self, *, online: bool) -> Publication:
        status = NodeStatus(online=online, role=self._role, version=self._version, boot=self._boot)
        return Publication(self._own(NodeTopic.STATUS), encode(status))

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._inbox.put(_Stop())

    def _patience_s(self) -> float:
        due_ms = self._core.due_ms()
        until_ms = self._tick_at_ms if due_ms is None else min(due_ms, self._tick_at_ms)
        return max(until_ms - self._clock_ms(), 0) / 1000

    # --- what comes in --------------------------------------------------------------------------------------------

    def _take(self, event: object) -> None:
        now_ms = self._clock_ms()
        match event:
            case Incoming():
                self._arrived(event, now_ms)
            case LinkUp():
                self._linked(now_ms)
            case LinkDown():
                self._unlinked(event, now_ms)
            case PublishRefused(reason):
                # A node publishes only to its own topics: the broker is another site's, or takes it for another node.
                self._log.error(
                    "publish.refused",
                    reason=reason,
                    do=f"check that the broker is for the site {self._node.site} (SUIVANT_SITE), and that this node's "
                    f"certificate is for {self._node.node} (SUIVANT_NODE)",
                )
            case _Stop():
                self._exit_status = 0
            case _:
                self._hand(event, now_ms)

    def _arrived(self, incoming: Incoming, now_ms: int) -> None:
        """Handle a message. Its payload may be anything, and nothing in it may stop the node."""
        try:
            known = self._on_topic.get(incoming.topic)
            if known is not None:
                known(incoming, now_ms)
                return
            message = Message(incoming.topic, incoming.payload, incoming.retained, incoming.arrived_ms)
            self._do(self._core.handle(message, now_ms))
        except BadMessage as error:
            self._bad_messages += 1
            self._log.warning("message.refused", topic=incoming.topic, reason=str(error)[:200])
        except Exception:  # noqa: BLE001 - a message must not be able to stop a node
            self._bad_messages += 1
            self._log.exception("message.failed", topic=incoming.topic)

    def _linked(self, now_ms: int) -> None:
        if self._outages.ends():
            self._log.info("broker.connected")
        self._heartbeat.connected(now_ms)
        status = self._status(online=True)
        self._link.publish(status.topic, status.payload, retain=True)
        self._reports.now()
        self._hand(Connected(), now_ms)

    def _unlinked(self, down: LinkDown, now_ms: int) -> None:
        self._heartbeat.disconnected(now_ms)
        if self._outages.begins(down):
            self._log.warning("broker.lost", reason=down.reason)
        self._hand(Disconnected(down.reason), now_ms)

    def _echoed(self, incoming: Incoming, _now_ms: int) -> None:
        self._heartbeat.echoed(_ECHO.parse(incoming.payload).count)

    def _beat(self, incoming: Incoming, now_ms: int) -> None:
        # A retained beat may be old.
        if not incoming.retained:
            self._hub_time.beat(_BEAT.parse(incoming.payload).at, incoming.arrived_ms)
            self._note_hub(now_ms)

    def _note_hub(self, now_ms: int) -> None:
        away = self._hub_time.away(now_ms)
        if away != self._hub_away:
            self._hub_away = away
            self._log.info("hub.away" if away else "hub.heard")

    def _hub_said(self, incoming: Incoming, now_ms: int) -> None:
        status = _HUB_STATUS.parse(incoming.payload)
        if self._hub_boot not in {None, status.boot}:
            self._hub_time.restarted()
            self._config_revision = None
            self._hand(HubAnew(), now_ms)
        self._hub_boot = status.boot
        self._log.info("hub.status", online=status.online, version=status.version)

    def _configured(self, incoming: Incoming, now_ms: int) -> None:
        if not incoming.payload:
            # Cleared: the site file no longer has this node. The node goes on with its last configuration.
            return
        config = self._parse_config(incoming.payload)
        if self._config_revision is not None and config.revision <= self._config_revision:
            return
        self._config_revision = config.revision
        self._configure(config, now_ms)
        try:
            self._kept.keep(incoming.payload)
        except OSError as error:
            self._log.exception("config.not_kept", reason=str(error))
            self._not_kept = (f"{NodeWarning.DISK}: the configuration could not be saved",)
        else:
            self._not_kept = ()

    def _parse_config(self, payload: bytes) -> NodeConfig:
        config = _CONFIG.parse(payload)
        said = config.__struct_config__.tag
        if said != self._role:
            raise BadMessage(f"the configuration is for a {said}, but this node is a {self._role}")
        return config

    def _configure(self, config: NodeConfig, now_ms: int) -> None:
        self._log.info("node.configured", revision=list(config.revision))
        self._hand(Configured(config), now_ms)

    def _use_kept_config(self) -> None:
        try:
            payload = self._kept.load()
            if payload is not None:
                self._configure(self._parse_config(payload), self._clock_ms())
        except (OSError, BadMessage) as error:
            self._log.warning("config.unreadable", reason=str(error)[:200])

    def _commanded(self, incoming: Incoming, now_ms: int) -> None:
        # A retained command would be carried out at every connection.
        if incoming.retained:
            raise BadMessage("a command must not be retained")
        command = _COMMAND.parse(incoming.payload)
        if command.id in self._commands_done:
            return
        self._commands_done.append(command.id)
        self._log.info("node.commanded", command=str(command.command))
        match command.command:
            case CommandKind.IDENTIFY:
                self._hand(Identify(now_ms + IDENTIFY_MS), now_ms)
            case CommandKind.RESTART:
                self._leave("the hub commanded a restart")
            case other:
                self._hand(Commanded(other), now_ms)

    # --- what goes out --------------------------------------------------------------------------------------------

    def _hand(self, event: object, now_ms: int) -> None:
        self._do(self._core.handle(event, now_ms))

    def _do(self, effects: Iterable[object]) -> None:
        for effect in effects:
            match effect:
                case Publish(topic, payload, expiry_s):
                    self._link.publish(topic, payload, expiry_s=expiry_s)
                case Follow(topics):
                    self._follow(topics)
                case _:
                    self._perform(effect)

    def _follow(self, topics: tuple[str, ...]) -> None:
        self._link.unsubscribe(set(self._followed) - set(topics))
        self._link.subscribe(topics)
        self._followed = topics

    def _leave(self, reason: str) -> None:
        self._log.warning("node.restarts", reason=reason)
        self._exit_status = RESTART_STATUS

    def _do_what_is_due(self, now_ms: int) -> None:
        due_ms = self._core.due_ms()
        if now_ms >= self._tick_at_ms or (due_ms is not None and now_ms >= due_ms):
            self._tick_at_ms = now_ms + TICK_MS
            self._hand(Tick(), now_ms)
            self._beat_heart(now_ms)
            self._note_hub(now_ms)
        condition = self._core.condition()
        condition = replace(condition, warnings=condition.warnings + self._not_kept)
        if self._reports.due(condition, now_ms):
            report = self._reports.report(condition, self._bad_messages, now_ms)
            self._link.publish(self._own(NodeTopic.TELEMETRY), encode(report), qos=0)
        if self._notifier.watchdog_ms is not None and now_ms >= self._alive_at_ms:
            self._alive_at_ms = now_ms + self._notifier.watchdog_ms // 3
            self._notifier.alive()

    def _beat_heart(self, now_ms: int) -> None:
        for wanted in self._heartbeat.tick(now_ms):
            match wanted:
                case SendEcho(count):
                    self._link.publish(self._own(NodeTopic.ECHO), encode(Echo(count=count)), qos=0)
                case Reconnect(reason):
                    self._log.warning("broker.silent", reason=reason)
                    self._link.reconnect(reason)
                case GiveUp(reason):
                    self._leave(reason)
