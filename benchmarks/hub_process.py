"""The hub of the large town hall, in a process of its own: `python -m benchmarks.hub_process`.

It is `suivant hub` but for the site, which is made here: a site file takes 99 desks, and this town hall has 200.
"""

import os
import sys
from pathlib import Path

import hub.app
from benchmarks.hall import large_site
from hub.config.site_file import SiteFile
from hub.logs import configure
from hub.settings import read_settings


def _made_here(path: Path) -> SiteFile:
    return SiteFile(path, large_site(), ())


def main() -> int:
    settings = read_settings(os.environ)
    configure(settings.hub.log, settings.hub.log_level)
    hub.app.read_site = _made_here
    return hub.app.run(settings)


if __name__ == "__main__":
    sys.exit(main())
