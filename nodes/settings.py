"""The settings that a node reads at start; the hub sends everything else."""

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
    """Something the program needs is missing now but may be there later: it says so and exits, to be restarted."""


class NodeSettings(Struct, frozen=True, kw_only=True):
    """Who a node is and where it keeps what must survive a restart."""

    node: Annotated[
        str,
        Meta(
            pattern=_PATTERN,
            extra={"wanted": f"{_WANTED}button-3"},
            description="name of this node, which is also the common name of its certificate",
        ),
    ]
    site: Annotated[
        str,
        Meta(
            pattern=_PATTERN,
            extra={"wanted": f"{_WANTED}town-hall"},
            description="name of the site that this node belongs to",
        ),
    ]
    state_dir: Annotated[
        Path, Meta(description="folder for data that must survive a restart (the last configuration, unsent work)")
    ] = Path("/var/lib/suivant-node")
    log: Annotated[Literal["json", "console"], Meta(description="format of the log on standard error")] = "json"

    @property
    def topics(self) -> Topics:
        return Topics(self.site)

    @property
    def kept_dir(self) -> Path:
        """Folder for what the hub said, per site and node, so that a renamed or moved node finds nothing old."""
        return self.state_dir / self.site / self.node


class Settings(Struct, frozen=True, kw_only=True):
    """The settings that every node reads from the environment."""

    node: NodeSettings
    broker: BrokerSettings


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the environment. Raises WrongSetting, which names the variable and what would be right."""
    return Settings(node=read(NodeSettings, environ), broker=read_broker_settings(environ))


def described_settings() -> Iterator[Described]:
    """The settings that every node reads, for the help and the docs."""
    yield from describe(NodeSettings)
    yield from describe(BrokerSettings, prefix=BROKER_PREFIX)


def configure_logging(settings: NodeSettings) -> None:
    """Log structured lines to standard error; each carries the node's name."""
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
