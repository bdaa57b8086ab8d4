"""Which parts of a listing are not believed, so that a mistake in the source or in the site file (an agenda or a status
renamed, a form made anew) does not cancel a day's visitors. Pure.

*Lost* is a known booking that ends by the listing without a word of why.
"""

from collections.abc import Collection, Iterable, Mapping

from hub.appointments.comparing import Window, is_new, one_of_each, spared_by
from hub.appointments.source import Listing, Missed
from hub.queue.bookings import Known

# So many bookings of a part do not all end without a word: a source that has none of them any more, or none that fits
# the site file, is mistaken.
DOUBTED_FROM = 5


def suspected_of(
    listing: Listing,
    known: Iterable[Known],
    lost: frozenset[str],
    window: Window,
    doubted: Mapping[Missed, frozenset[str]],
    seen: Mapping[Missed, int],
) -> dict[Missed, frozenset[str]]:
    """The parts that are not believed where any of the bookings beside them is neither served nor cancelled: many, of
    today or later, that are lost, while none of the part's stands that was there before. What came later proves
    nothing: a form that was made anew lists that.

    `doubted`: the parts that were not believed before, with what was lost of them. Of these one lost booking is enough:
    else the rest would be believed to be gone as days pass, or as others are cancelled. Nor does it matter whether
    their visitors are here: they would be told that their booking was cancelled. `seen`: by part, the last ticket that
    was there before. Where that is not known yet, what came before one of the lost was there.
    What an incomplete listing does not speak of stands as it is known, and proves all of its part; but where that was
    in doubt, it proves nothing.
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
    """The bookings that do not end: what is lost of the parts in doubt."""
    return frozenset(
        each.id for each in known if each.id in lost and any(part.has(each.reference, each.service) for part in doubted)
    )


def lost_of(listing: Listing, known: Iterable[Known], window: Window, reported: frozenset[str]) -> frozenset[str]:
    """Those that end or lapse by the listing though it does not say that they were cancelled, moved or postponed.

    `reported`: of those that lapsed, those whose request the hub itself moved on.
    """
    if not listing.parts:
        return frozenset()
    by_id = {each.id: each for each in known}
    told, _ = one_of_each(listing, by_id)
    found = (*told.values(), *listing.later)
    named = {each.reference for each in found}
    spared = spared_by(by_id.values(), listing.flaws) | {each.id for each in listing.later}
    # A request that has a new booking was moved.
    explained = {*listing.cancelled, *(each.reference for each in found if is_new(each, by_id.get(each.id)))}

    def is_lost(each: Known) -> bool:
        if each.gone or each.id in reported:
            return False
        if each.id in told:
            return told[each.id].gone and not told[each.id].was_cancelled
        ends = each.reference in named or (listing.complete and window.lists(each.day))
        return ends and each.reference not in explained and each.id not in spared

    return frozenset(each.id for each in by_id.values() if is_lost(each))
