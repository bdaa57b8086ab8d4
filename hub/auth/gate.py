"""What the web side's door is given: who comes in, who is in, and for how long."""

from collections.abc import Callable
from dataclasses import dataclass

from hub.auth.people import MachineToken, Person, Reason
from hub.auth.sessions import Limits, SessionBook


@dataclass(frozen=True, slots=True)
class Gate:
    """`log_in` takes the account, the password and the address it comes from; it blocks, for seconds where the
    directory is slow, and raises LoginRefused. `token`: the machine that this bearer token is of, None where it is of
    none; a short read of the database, so it blocks too. Both raise a DatabaseFault where that is away, but not for a
    token that was asked for before. `refused` is told of who was turned away without `log_in`. `new_token`: what a new
    session's cookie holds.
    """

    book: SessionBook
    log_in: Callable[[str, str, str], Person]
    refused: Callable[[Reason], None]
    token: Callable[[str], MachineToken | None]
    new_token: Callable[[], str]
    limits: Limits
