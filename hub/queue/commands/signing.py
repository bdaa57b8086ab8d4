"""Which agent works at which desk: a desk has at most one agent, and an agent at most one desk."""

import msgspec

from hub.queue import people_store, store
from hub.queue.answers import DeskAnswer
from hub.queue.refusals import DeskTaken, LeavesVisitor, NotSignedOn, Unknown
from hub.queue.requests import SignOff, SignOn
from hub.queue.tickets import from_row
from hub.queue.transaction import DeskView, Work
from protocol.messages import DeskOutcome


def sign_on(work: Work, command: SignOn, view: DeskView) -> DeskAnswer:
    """Sign the actor on in place of whoever was signed on there, and off at their other desk in the same command."""
    taken = DeskAnswer(outcome=DeskOutcome.TAKEN)
    if not work.actor:
        raise Unknown("agent", work.actor)
    if view.agent == work.actor:
        return taken
    if view.agent is not None and command.only_free:
        raise DeskTaken(view.desk.name, view.agent, signed_on_ms(work, view.desk.name))
    others = [name for (name,) in work.rows(people_store.DESKS_OF_AGENT, account=work.actor)]
    if command.only_idle:
        _need_idle(work, others)
    for other in others:
        leave(work, other, work.actor)
    # The unique index on a desk's agent is checked row by row: the agent must leave the old desk first.
    work.write_desks()
    work.flush()
    work.journal("sign_on", desk=view.desk.name, data={"agent": work.actor, "before": view.agent})
    work.set_desk(view.desk.name, agent=work.actor)
    return taken


def _need_idle(work: Work, desks: list[str]) -> None:
    """Raise LeavesVisitor if one of the desks holds a ticket.

    A desk that the site no longer has is ignored: no page could show its ticket.
    """
    for held in map(from_row, work.rows(store.HELD)):
        if held.desk in desks and work.index.find_desk(held.desk) is not None:
            raise LeavesVisitor(held.desk, held.label)


def sign_off(work: Work, command: SignOff, view: DeskView) -> DeskAnswer:
    """Quitter le guichet: sign off whoever is signed on; the desk's mode stays as it is."""
    if command.only_own:
        need_signed_on(work, view)
    leave(work, view.desk.name, view.agent)
    return DeskAnswer(outcome=DeskOutcome.TAKEN)


def leave(work: Work, desk: str, agent: str | None) -> None:
    """Sign off the agent at the desk, if there is one. The site file may no longer have the desk."""
    if agent is None:
        return
    work.journal("sign_off", desk=desk, data={"agent": None, "before": agent})
    work.set_desk(desk, agent=None)


def need_signed_on(work: Work, view: DeskView) -> None:
    """Raise NotSignedOn unless the actor is signed on at the desk; it tells them who has taken the desk over."""
    if view.agent == work.origin.actor:
        return
    if view.agent is None:
        raise NotSignedOn(view.desk.name)
    raise NotSignedOn(view.desk.name, view.agent, *_last_sign_on(work, view.desk.name))


def signed_on_ms(work: Work, desk: str) -> int:
    """When the agent at the desk signed on there."""
    return _last_sign_on(work, desk)[0]


def _last_sign_on(work: Work, desk: str) -> tuple[int, str | None]:
    """The time of the desk's last sign-on and the agent it replaced; (0, None) if there was none."""
    rows = work.rows(people_store.LAST_SIGN_ON, desk=desk)
    if not rows:
        return 0, None
    at_ms, data = rows[0]
    return at_ms, msgspec.json.decode(data)["before"]
