"""Whether calls, counts and the offline band are readable from the farthest seat, and what to do if they are not."""

from nodes.display.layout.call import DESK_EM, LEAST_NUMBER_EM
from nodes.display.layout.calls import ROW_EM
from nodes.display.layout.canvas import scale_of
from nodes.display.layout.old import OFFLINE_EM
from nodes.display.layout.waiting import COUNT_EM
from nodes.display.sizes import Screen
from protocol.messages import NodeWarning

# With a larger factor, too few rows would fit to make a list.
MAGNIFY_MOST = 1.6


def magnification(screen: Screen) -> float:
    """The factor by which older calls and counts are enlarged on a screen too small for its hall; fewer fit then."""
    smallest = min(ROW_EM, COUNT_EM) * scale_of(screen)
    return min(max(screen.least_em_px / smallest, 1.0), MAGNIFY_MOST)


def unreadable(screen: Screen) -> tuple[str, ...]:
    """Telemetry warnings for parts that stay below 0.7 degrees from the farthest seat."""
    scale, magnify = scale_of(screen), magnification(screen)
    must_be_read = {
        "call": min(LEAST_NUMBER_EM, DESK_EM) * scale,
        "list": min(ROW_EM, COUNT_EM) * magnify * scale,
        "offline": OFFLINE_EM * scale,
    }
    return tuple(
        f"{NodeWarning.TOO_SMALL}: {part} can be read from at most {screen.farthest_reading_m(em):.1f} m, but the "
        f"farthest seat is at {screen.farthest_m:.1f} m"
        for part, em in must_be_read.items()
        if not screen.reads(em)
    )
