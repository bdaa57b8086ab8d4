"""The hub of the large town hall, in a process of its own: `python -m benchmarks.hub_process`.

It is `suivant hub` but for the site, which is made here: what is measured is wired by hub.app.
"""

import asyncio
import os
import sys

import uvloop

from benchmarks.hall import large_site
from hub.app import Hub, _serve
from hub.database.engine import open_engine
from hub.listening import listen
from hub.logs import configure
from hub.settings import read_settings


def main() -> None:
    settings = read_settings(os.environ)
    configure(settings.hub.log, settings.hub.log_level)
    listening = listen(settings.hub.http_host, settings.hub.http_port)
    hub = Hub(
        engine=open_engine(settings.database_url), site=large_site(), broker=settings.broker, give_up=sys.exit
    )
    hub.start()
    print(f"port {listening.getsockname()[1]}", flush=True)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(hub, listening))
    finally:
        hub.stop()


if __name__ == "__main__":
    main()
