"""The settings of the HTTP server."""

import uvicorn
from starlette.types import ASGIApp

from hub.web.wire import BoundedHttp

# A staff page may send nothing for minutes; a new connection would make the next click noticeably slower.
KEEP_ALIVE_S = 75
GRACE_S = 2
# Readers of live pages send nothing.
SOCKET_MESSAGE_MOST_BYTES = 1_024


def server_config(web: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        web,
        http=BoundedHttp,
        log_config=None,
        access_log=False,
        # uvicorn would believe any program on this machine that forges these headers. The guard reads them instead.
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        ws_max_size=SOCKET_MESSAGE_MOST_BYTES,
        server_header=False,
        date_header=False,
    )
