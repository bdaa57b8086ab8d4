"""What the demo is told, out of the environment: `make demo SPEED=3`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from protocol.environment import read


class Options(Struct, frozen=True, kw_only=True):
    """`seconds_limit`: 0 plays until it is stopped. A `port` of 0 takes any free one."""

    speed: Annotated[int, Meta(ge=1, le=10, description="how fast visitors come and visits pass")] = 1
    seconds_limit: Annotated[int, Meta(ge=0, description="ends the demo by itself after so many seconds")] = 0
    # The two ports behind it are the hub's and Publik's, where they are free.
    port: Annotated[int, Meta(ge=0, le=65533, description="TCP port of the demo's page, on this machine alone")] = 8400
    seed: Annotated[int, Meta(description="another seed, another morning")] = 11
    demo_dir: Annotated[
        Path, Meta(description="folder for all that the demo writes; emptied at each start but for the accounts")
    ] = Path(".demo")


def read_options(environ: Mapping[str, str]) -> Options:
    """Raises protocol.environment.WrongSetting, which names the variable and what would be right."""
    return read(Options, environ, prefix="")
