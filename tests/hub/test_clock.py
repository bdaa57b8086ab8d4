"""The hub's time never goes back and never stands still."""

from hub.clock import Clock

MS = 1_000_000


class Times:
    """The machine's two clocks, in ns, set by the test."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_000_000 * MS, 0

    def clock(self) -> Clock:
        return Clock(lambda: self.wall, lambda: self.monotonic)

    def go_on(self, ms: int) -> None:
        self.wall += ms * MS
        self.monotonic += ms * MS


def test_it_tells_the_machine_s_time():
    times = Times()
    clock = times.clock()
    times.go_on(1_234)
    assert clock.now_ms() == 1_001_234


def test_it_follows_a_step_forward_at_once():
    times = Times()
    clock = times.clock()
    times.wall += 3_600_000 * MS
    assert clock.now_ms() == 1_000_000 + 3_600_000


def test_after_a_step_back_it_goes_on_at_half_speed_until_the_two_meet():
    times = Times()
    clock = times.clock()
    times.wall -= 10_000 * MS
    seen = [clock.now_ms()]
    for _ in range(30):
        times.go_on(1_000)
        seen.append(clock.now_ms())
    assert seen[0] == 1_000_000
    assert seen[:21] == [1_000_000 + 500 * step for step in range(21)]
    assert seen[20] == times.wall // MS - 10_000
    assert seen[21:] == [1_010_000 + 1_000 * step for step in range(1, 11)]


def test_two_readings_in_the_same_instant_are_not_apart_and_never_in_the_wrong_order():
    times = Times()
    clock = times.clock()
    last = clock.now_ms()
    for step in (0, 0, -5, 3, -2, 7, -60_000, 1, 1):
        times.wall += step * MS
        times.monotonic += MS
        now = clock.now_ms()
        assert now >= last
        last = now


def test_a_hub_that_starts_on_a_machine_whose_clock_is_far_back_goes_on_from_what_was_written():
    times = Times()
    clock = times.clock()
    clock.not_before(5_000_000)
    assert clock.now_ms() == 5_000_000
    times.go_on(2_000)
    assert clock.now_ms() == 5_001_000
    clock.not_before(0)
    assert clock.now_ms() == 5_001_000


def test_it_says_how_far_it_is_ahead_of_the_machine_s_clock():
    times = Times()
    clock = times.clock()
    assert clock.ahead_ms() == 0
    clock.not_before(1_000_000 + 40_000)
    assert clock.ahead_ms() == 40_000
    times.go_on(1_000)
    assert clock.ahead_ms() == 39_500
