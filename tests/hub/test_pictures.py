"""Pictures of desks and halls: a desk's made alone and with all others, and how large a hall's may become."""

import random
from collections.abc import Callable

from msgspec.structs import replace

from hub.config.rules import MESSAGES_OF_HALL_MOST, SERVICES_OF_HALL_MOST, TEXT_MOST
from hub.mqtt.pictures import _FEW_DESKS, _SAYINGS_READ, Pictures
from hub.queue.requests import CheckIn, Defer, Finish, Transfer
from hub.queue.states import State
from hub.site import Desk, Help, Site
from protocol.messages import MAX_PAYLOAD_BYTES, Call, DeskMode, HallState, encode
from tests.queue.harness import DESKS, MINUTE, SECOND, Queue, round_the_clock, town

# Four bytes in UTF-8, the most that a character takes.
WIDEST = "\N{GRINNING FACE}"
MORE_DESKS = (
    Desk(name="desk-5", number="5", hall="hall", serves=("papers",), helps=(Help(service="social", delay_min=5),)),
    Desk(name="desk-6", number="6", hall="floor", serves=("taxes",)),
    Desk(name="desk-7", number="7", hall="hall", serves=("civil",)),
)


def test_a_lamp_says_the_same_whether_its_desk_alone_acted_or_all_are_told_at_once(new_queue: Callable[..., Queue]):
    queue = new_queue(round_the_clock(town(desks=(*DESKS, *MORE_DESKS))))
    dice = random.Random(7)
    names = [desk.name for desk in queue.site.desks]
    assert len(names) > _FEW_DESKS
    said: set[tuple[str, bool]] = set()
    for _ in range(80):
        _something(queue, dice, names)
        waiting = {service.name: 0 for service in queue.site.services}
        for ticket in queue.tickets():
            waiting[ticket.service] += ticket.state is State.WAITING
        pictures = Pictures(queue.connection, queue.index, lambda: queue.now_ms)
        alone = [pictures.desk(name, (1, 1), waiting) for name in names]
        together = pictures.desks(names, (1, 1), waiting)
        queue.connection.rollback()
        assert together == alone
        said |= {(picture.mode, picture.callable) for picture in alone}
    assert {("open", True), ("open", False), ("paused", False)} <= said


def test_what_many_desks_call_at_once_is_listed_until_it_is_said(new_queue: Callable[..., Queue]):
    desks = _many_desks(130, hall="floor", place=WIDEST * 24)
    queue = new_queue(round_the_clock(wordy(town(desks=desks))))
    queue.open(*(desk.name for desk in desks))
    tickets = [queue.issue() for _ in desks]
    for place, desk in enumerate(desks, start=1):
        queue.press(desk.name, after_ms=0)
        if place in {30, 60}:
            assert len(_listed(queue)) == place
    numbers = [queue.ticket(ticket).label for ticket in tickets]
    listed = _listed(queue)
    assert [call.number for call in listed] == [*numbers[:-5:-1], *numbers[55::-1]]
    assert len(encode(_hall(queue))) < MAX_PAYLOAD_BYTES
    queue.turn(8 * SECOND + 250 + 4 * SECOND * (len(desks) - 1))
    assert [call.number for call in _listed(queue)] == numbers[:-5:-1]


def wordy(site: Site) -> Site:
    """The same site with as much text in its first hall as a site file allows."""
    hall, *others = site.halls
    service = replace(site.services[0], short=WIDEST * 10)
    more = [replace(service, name=f"{number:032}", letter="M") for number in range(SERVICES_OF_HALL_MOST - 2)]
    return replace(
        site,
        town=WIDEST * TEXT_MOST,
        halls=(replace(hall, messages=(WIDEST * 46,) * MESSAGES_OF_HALL_MOST), *others),
        services=(service, *site.services[1:], *more),
    )


def test_a_call_stays_listed_while_it_is_said_though_a_long_queue_begins_with_one_that_is_said_no_more(
    new_queue: Callable[..., Queue],
):
    desks = _many_desks(_SAYINGS_READ + 1)
    queue = new_queue(round_the_clock(town(desks=desks)))
    queue.open(*(desk.name for desk in desks))
    first, *_ = [queue.issue() for _ in desks]
    for desk in desks:
        queue.press(desk.name, after_ms=0)
    # The second visit ends before its call is said; in so long a queue, the gap it leaves is not closed.
    queue.ask(Finish, desk=desks[1].name, shown=queue.held(desks[1].name))
    queue.turn(6 * SECOND)
    assert [call.number for call in _listed(queue)][-1] == queue.ticket(first).label


def _many_desks(count: int, *, hall: str = "hall", place: str | None = None) -> tuple[Desk, ...]:
    return tuple(
        Desk(name=f"desk-{number}", number=str(number), hall=hall, serves=("civil",), place=place)
        for number in range(1, count + 1)
    )


def _listed(queue: Queue) -> tuple[Call, ...]:
    return _hall(queue).calls


def _hall(queue: Queue) -> HallState:
    picture = Pictures(queue.connection, queue.index, lambda: queue.now_ms).hall("hall", (1, 1), {})
    queue.connection.rollback()
    return picture


def _something(queue: Queue, dice: random.Random, names: list[str]) -> None:
    queue.turn(dice.choice([1, 4, 20]) * MINUTE)
    service, desk = dice.choice(["civil", "papers", "social", "taxes"]), dice.choice(names)
    waiting = [ticket for ticket in queue.tickets() if ticket.state is State.WAITING]
    match dice.randrange(7):
        case 0:
            queue.issue(service)
        case 1:
            queue.mode(desk, dice.choice([DeskMode.OPEN, DeskMode.PAUSED]))
        case 2:
            ticket = queue.book(queue.now_ms + dice.choice([5, 60]) * MINUTE, service)
            queue.ask(CheckIn, desk="", ticket=ticket)
        case 3 if waiting:
            queue.ask(Defer, ticket=dice.choice(waiting).id, by_ms=45 * MINUTE)
        case 4 if waiting:
            ticket = dice.choice(waiting).id
            queue.ask(Transfer, desk=desk, ticket=ticket, to_desk=dice.choice(names), confirmed=True)
        case _:
            queue.press(desk)
