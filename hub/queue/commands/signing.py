"""Who works at which desk: one agent at one desk, and one desk for one agent."""

import msgspec

from hub.queue import people_store, store
from hub.queue.answers import DeskAnswer
from hub.queue.refusals import DeskTaken, LeavesVisitor, NotSignedOn, Unknown
from hub.queue.requests import SignOff, SignOn
from hub.queue.tickets import from_row
from hub.queue.transaction import DeskView, Work
from protocol.messages import DeskOutcome


def sign_on(work: Work, command: SignOn, view: DeskView) -> DeskAnswer:
    """Takes the desk over from whoever was signed on there; the actor's other desk is left in the same command."""
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
    # The index on one desk an agent is checked row by row: the old one must be gone before the new one.
    work.write_desks()
    work.flush()
    work.journal("sign_on", desk=view.desk.name, data={"agent": work.actor, "before": view.agent})
    work.set_desk(view.desk.name, agent=work.actor)
    return taken


def _need_idle(work: Work, desks: list[str]) -> None:
    """Of a desk that the site has no more, no page could tell."""
    for held in map(from_row, work.rows(store.HELD)):
        if held.desk in desks and work.index.find_desk(held.desk) is not None:
            raise LeavesVisitor(held.desk, held.label)


def sign_off(work: Work, command: SignOff, view: DeskView) -> DeskAnswer:
    """Quitter le guichet; the desk stays as it is."""
    if command.only_own:
        need_signed_on(work, view)
    leave(work, view.desk.name, view.agent)
    return DeskAnswer(outcome=DeskOutcome.TAKEN)


def leave(work: Work, desk: str, agent: str | None) -> None:
    """Signs off who is signed on at the desk, if anybody is. The site file may have the desk no more."""
    if agent is None:
        return
    work.journal("sign_off", desk=desk, data={"agent": None, "before": agent})
    work.set_desk(desk, agent=None)


def need_signed_on(work: Work, view: DeskView) -> None:
    """For what only who is signed on at the desk may do: somebody who was may have been taken over, and is told."""
    if view.agent == work.origin.actor:
        return
    if view.agent is None:
        raise NotSignedOn(view.desk.name)
    raise NotSignedOn(view.desk.name, view.agent, *_last_sign_on(work, view.desk.name))


def signed_on_ms(work: Work, desk: str) -> int:
    """Since when who is signed on there is."""
    return _last_sign_on(work, desk)[0]


def _last_sign_on(work: Work, desk: str) -> tuple[int, str | None]:
    """When, and from whom the desk was taken over by it."""
    rows = work.rows(people_store.LAST_SIGN_ON, desk=desk)
    if not rows:
        return 0, None
    at_ms, data = rows[0]
    return at_ms, msgspec.json.decode(data)["before"]
