"""The socket the pages and the API are served on, opened before anything else starts."""

import errno
import socket

from protocol.environment import PREFIX, WrongSetting

_WHY = {
    errno.EADDRINUSE: "another program uses it: stop that program, or choose another port in SUIVANT_HTTP_PORT",
    errno.EACCES: "this user may not use it: choose a port from 1024 on in SUIVANT_HTTP_PORT",
    errno.EADDRNOTAVAIL: "this machine has no such address: correct SUIVANT_HTTP_HOST",
}


class PortNotFree(OSError):
    """The hub cannot listen there; one sentence says why and what to do."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        why = _WHY.get(error.errno or 0, str(error))
        super().__init__(f"cannot listen on {host}, port {port}: {why}")
        self.host = host
        self.port = port


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, to be handed to the server. Raises PortNotFree, or WrongSetting for an unknown name."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as error:
        listening.close()
        # If the resolver did not answer (EAI_AGAIN), the name may be right: a later start may find it.
        if isinstance(error, socket.gaierror) and error.errno != socket.EAI_AGAIN:
            wanted = "an address of this machine, such as 127.0.0.1, but this name is unknown"
            raise WrongSetting(f"{PREFIX}HTTP_HOST", host, wanted) from error
        raise PortNotFree(host, port, error) from error
    return listening
