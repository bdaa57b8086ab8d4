"""Decides which parts of a listing are not believed, so that a mistake in the source or in the site file (an agenda or
a status renamed, a form recreated) does not cancel a day's visitors. Pure.

A known booking is *lost* if the listing ends it without saying why.
"""

from collections.abc import Collection, Iterable, Mapping

from hub.appointments.comparing import Window, is_new, one_of_each, spared_by
from hub.appointments.source import Listing, Missed
from hub.queue.bookings import Known

# This many bookings of a part do not all end without a reason. More likely the source has lost them, or they no longer
# fit the site file.
DOUBTED_FROM = 5


def suspected_of(
    listing: Listing,
    known: Iterable[Known],
    lost: frozenset[str],
    window: Window,
    doubted: Mapping[Missed, frozenset[str]],
    seen: Mapping[Missed, int],
) -> dict[Missed, frozenset[str]]:
    """The suspected parts, each with its lost bookings. The caller doubts a part as long as one of these is neither
    served nor cancelled.

    A part is suspected if at least DOUBTED_FROM of its bookings of today or later are lost, and none that was there
    before still stands. Newer bookings prove nothing: a form that was recreated lists those.

    `doubted`: the parts not believed before, with their lost bookings. For these one lost booking is enough: otherwise
    the rest would be taken to be gone as days pass, or as others are cancelled. Lost bookings count even if their
    visitors are here: their tickets would be marked as cancelled. `seen`: by part, the last ticket that was there
    before; where there is none yet, the last ticket among the lost bookings.

    A booking that an incomplete listing does not mention is taken to stand, and so proves its part right, unless the
    part was in doubt before: then it proves nothing.
    """
    if not lost and not doubted:
        return {}
    to_come = [each for each in known if not each.gone and each.day >= window.first_day]
    standing = {booking.id for booking in listing.bookings if not booking.gone}
    spoken_of = {*listing.cancelled, *(each.reference for each in (*listing.bookings, *listing.later))}
    spoken_of |= {flaw.reference for flaw in listing.flaws if flaw.reference is not None}

    def suspected_in(part: Missed) -> frozenset[str]:
        of_it = [each for each in to_come if part.has(each.reference, each.service)]
        tickets = {each.id: each.ticket for each in of_it if each.id in lost}
        last, before = seen.get(part, max(tickets.values(), default=0)), doubted.get(part, frozenset())
        if any(each.id in standing and (each.ticket <= last or each.id in before) for each in of_it):
            return frozenset()
        if not listing.complete and before:
            return before.union(tickets)
        if not listing.complete and any(each.reference not in spoken_of for each in of_it):
            return frozenset()
        return frozenset(tickets) if len(tickets) >= (1 if before else DOUBTED_FROM) else frozenset()

    suspected = {part: suspected_in(part) for part in (*listing.parts, *doubted)}
    return {part: bookings for part, bookings in suspected.items() if bookings}


def kept_in(doubted: Collection[Missed], known: Iterable[Known], lost: frozenset[str]) -> frozenset[str]:
    """The bookings that do not end: those that are lost in a part in doubt."""
    return frozenset(
        each.id for each in known if each.id in lost and any(part.has(each.reference, each.service) for part in doubted)
    )


def lost_of(listing: Listing, known: Iterable[Known], window: Window, reported: frozenset[str]) -> frozenset[str]:
    """The known bookings that the listing ends or lets lapse without saying that they were cancelled, moved or
    postponed.

    `reported`: of the lapsed bookings, those whose request the hub itself moved on.
    """
    if not listing.parts:
        return frozenset()
    by_id = {each.id: each for each in known}
    told, _ = one_of_each(listing, by_id)
    found = (*told.values(), *listing.later)
    named = {each.reference for each in found}
    spared = spared_by(by_id.values(), listing.flaws) | {each.id for each in listing.later}
    # A new booking explains what its request lost: it was moved.
    explained = {*listing.cancelled, *(each.reference for each in found if is_new(each, by_id.get(each.id)))}

    def is_lost(each: Known) -> bool:
        if each.gone or each.id in reported:
            return False
        if each.id in told:
            return told[each.id].gone and not told[each.id].was_cancelled
        ends = each.reference in named or (listing.complete and window.lists(each.day))
        return ends and each.reference not in explained and each.id not in spared

    return frozenset(each.id for each in by_id.values() if is_lost(each))
