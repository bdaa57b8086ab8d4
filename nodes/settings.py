"""What a node must be told at its start; all else the hub tells it."""

import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

import structlog
from msgspec import Meta, Struct

from protocol.environment import Described, describe, read
from protocol.link import BROKER_PREFIX, BrokerSettings, read_broker_settings
from protocol.topics import NAME, Topics

_PATTERN = rf"^{NAME.pattern}\Z"
_WANTED = "at most 32 lower-case letters, digits and hyphens, such as "


class NotNow(Exception):
    """What a program needs is not there now and may be later: it says so and ends, to be started again."""


class NodeSettings(Struct, frozen=True, kw_only=True):
    """Who a node is and where it keeps what must survive a restart."""

    node: Annotated[
        str,
        Meta(
            pattern=_PATTERN,
            extra={"wanted": f"{_WANTED}button-3"},
            description="name of this node, the common name of its certificate",
        ),
    ]
    site: Annotated[
        str,
        Meta(
            pattern=_PATTERN,
            extra={"wanted": f"{_WANTED}town-hall"},
            description="name of the site whose hub it belongs to",
        ),
    ]
    state_dir: Annotated[
        Path, Meta(description="folder for what must survive a restart (the last configuration, unsent work)")
    ] = Path("/var/lib/suivant-node")
    log: Annotated[Literal["json", "console"], Meta(description="how the log on standard error is written")] = "json"

    @property
    def topics(self) -> Topics:
        return Topics(self.site)

    @property
    def kept_dir(self) -> Path:
        """Where it keeps what the hub said: under another name, or at another site, a node finds nothing of it."""
        return self.state_dir / self.site / self.node


class Settings(Struct, frozen=True, kw_only=True):
    """All that every node reads from the environment."""

    node: NodeSettings
    broker: BrokerSettings


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Raises WrongSetting, which names the variable and what would be right."""
    return Settings(node=read(NodeSettings, environ), broker=read_broker_settings(environ))


def described_settings() -> Iterator[Described]:
    """What every node reads, for the help and the documents."""
    yield from describe(NodeSettings)
    yield from describe(BrokerSettings, prefix=BROKER_PREFIX)


def configure_logging(settings: NodeSettings) -> None:
    """Structured lines on standard error; each carries the node."""
    shape: structlog.types.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            shape,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(node=settings.node)
