"""The whole node, as it is started on a Pi, with a virtual printer."""

from collections.abc import Callable

from PIL import Image

from protocol.messages import Abandon, IssueTicket, Printed
from tests.ticket_printer.hub import ScriptedHub
from tests.ticket_printer.program import Program

LED = 22


def test_a_press_gives_one_ticket_and_the_hub_hears_that_it_is_printed(
    hub: ScriptedHub, start: Callable[..., Program]
) -> None:
    program = start()
    program.wait_shown(led=LED, on=True)
    program.press(5)
    program.wait_paper("000001.png")
    [printed] = hub.asked(Printed)
    [asked] = hub.asked(IssueTicket)
    assert (printed.of, printed.sure, asked.service) == (asked.id, True, "etat-civil")
    with Image.open(program.papers[0]) as paper:
        assert paper.size[0] == 576
