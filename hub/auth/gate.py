"""What `hub.web.door` uses of login: who may log in, who is logged in, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass

from hub.auth.people import MachineToken, Person, Reason
from hub.auth.sessions import Limits, SessionBook


@dataclass(frozen=True, slots=True)
class Gate:
    """The calls that the web side makes.

    - `log_in` takes the account, the password and the address of the request. It blocks, for seconds if the directory
      is slow. Raises LoginRefused.
    - `token` returns the program a bearer token belongs to, or None. It blocks for a short read of the database.
    - `admitted` counts and logs a login whose session is stored.
    - `refused` counts and logs a person who was turned away without `log_in`.
    - `new_token` makes the content of a new session's cookie.

    `log_in` and `token` raise DatabaseFault while the database is away, except for a token it has found before.
    """

    book: SessionBook
    log_in: Callable[[str, str, str], Person]
    admitted: Callable[[Person], None]
    refused: Callable[[Reason], None]
    token: Callable[[str], MachineToken | None]
    new_token: Callable[[], str]
    limits: Limits
