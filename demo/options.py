"""The demo's options, read from the environment: `make demo SPEED=3`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from protocol.environment import read


class Options(Struct, frozen=True, kw_only=True):
    """The demo's options. `seconds_limit` 0: no limit. `port` 0: any free port."""

    speed: Annotated[int, Meta(ge=1, le=10, description="how fast visitors arrive and visits pass")] = 1
    seconds_limit: Annotated[int, Meta(ge=0, description="ends the demo after this many seconds; 0: no limit")] = 0
    # The next two ports are the hub's and Publik's if they are free.
    port: Annotated[int, Meta(ge=0, le=65533, description="TCP port of the demo's page, on this machine only")] = 8400
    seed: Annotated[int, Meta(description="seed of the random numbers; another seed plays another morning")] = 11
    demo_dir: Annotated[
        Path, Meta(description="folder for all that the demo writes; emptied at each start, except for the accounts")
    ] = Path(".demo")


def read_options(environ: Mapping[str, str]) -> Options:
    """Read the options. Raises protocol.environment.WrongSetting, which names the variable and what would be right."""
    return read(Options, environ, prefix="")
