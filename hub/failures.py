"""The two kinds of failure: of the database, or of the hub's own code by an error that nobody foresaw."""

import traceback
from pathlib import Path
from typing import TypeAlias

from sqlalchemy import Engine

from hub.database.faults import ERRORS, DatabaseFault, fault_of, place_of


class HubFault(Exception):
    """An error in the hub's own code. Its text may quote what somebody typed, so only its type and place are told."""

    def __init__(self, error: BaseException) -> None:
        at = traceback.extract_tb(error.__traceback__)[-1:]
        place = f" in {Path(at[0].filename).name}:{at[0].lineno}" if at else ""
        super().__init__(f"{type(error).__name__}{place}: this is a bug in the hub, please report it")


Failure: TypeAlias = DatabaseFault | HubFault


def failure_of(error: BaseException, engine: Engine) -> Failure:
    """A DatabaseFault if the database, its driver or its pool raised the error, otherwise a HubFault."""
    if isinstance(error, (DatabaseFault, *ERRORS)):
        return fault_of(error, place_of(engine.url))
    return error if isinstance(error, HubFault) else HubFault(error)
