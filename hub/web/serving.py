"""How the pages and the API are served."""

import uvicorn
from starlette.types import ASGIApp

from hub.web.wire import BoundedHttp

# A staff page is quiet for minutes; opening a connection anew would be felt at the next click.
KEEP_ALIVE_S = 75
GRACE_S = 2
# Readers of the live pages say nothing.
SOCKET_MESSAGE_MOST_BYTES = 1_024


def server_config(web: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        web,
        http=BoundedHttp,
        log_config=None,
        access_log=False,
        # Whoever is on this machine could say that the connection is another one than it is.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        ws_max_size=SOCKET_MESSAGE_MOST_BYTES,
        server_header=False,
        date_header=False,
    )
