"""Bookings from a CSV file: the source of a hall without Publik. It is told nothing back.

The first line names the columns, in any order, separated by `;` or `,`; docs/operations.md says what each holds.
"""

import csv
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from hub.appointments.nowhere import ToldNothing
from hub.appointments.source import Booking, Flaw, Hint, Listing, SourceAway
from hub.queue.bookings import shown_name
from hub.queue.requests import confirmation_code

COLUMNS = ("id", "service", "start", "code", "name", "gone")
NEEDED = frozenset({"id", "service", "start"})
# A year of a large town hall; a file beyond it is another file.
BYTES_MOST = 20_000_000
WORD_MOST = 200
# A file that was written just now may still be written: what it lacks is not taken to be gone.
SETTLES_MS = 2_000
# A year beyond was given by mistake, and may have no moment at all.
_YEARS = range(2000, 2200)
# As spreadsheets write them in France, beside ISO 8601. Not by `strptime`: ten thousand of them took it seconds.
_FRENCH = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) +(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
# A spreadsheet in French makes VRAI of what was typed as true.
_GONE = {
    **dict.fromkeys(("", "no", "0", "false", "non", "faux"), False),
    **dict.fromkeys(("yes", "1", "true", "cancelled", "oui", "vrai", "annulé"), True),
}


@dataclass(frozen=True, slots=True)
class _Stamp:
    """By which a changed file is known."""

    inode: int
    size: int
    mtime_ns: int


class FileSource(ToldNothing):
    """`zone`: of the times in the file. `now_ms`: the system's time, by which the file's own is judged.

    `is_expected`: whether the hub still knows bookings to come, so that the file was there in an earlier run.
    """

    is_file = True

    def __init__(
        self, path: Path, zone: str, now_ms: Callable[[], int], is_expected: Callable[[], bool] = lambda: False
    ) -> None:
        self._path = path
        self._zone = ZoneInfo(zone)
        self._now_ms = now_ms
        self._is_expected = is_expected
        # The file that was read last, and the listing's own moment: one that was not kept is never asked about.
        self._read: tuple[_Stamp, int] | None = None
        self._as_of_ms = 0
        self._seen: tuple[_Stamp, int] | None = None
        self._was_there = False

    @property
    def title(self) -> str:
        """The file's name; empty where there never was one, since nobody waits for it then."""
        # Not `Path.exists`, which raises where a folder above may not be looked into.
        return self._path.name if self._was_there or os.path.exists(self._path) else ""  # noqa: PTH110

    def list_all(self, _first_day: str, _last_day: str) -> Listing:
        """All of the file. Raises SourceAway where it can't be read, or was there and is not."""
        now_ms = self._now_ms()
        self._read, self._as_of_ms = None, max(now_ms, self._as_of_ms + 1)
        stamp = self._stamp()
        if stamp is None:
            return Listing((), as_of_ms=self._as_of_ms)
        raw = self._bytes()
        settled = self._stamp() == stamp and self._is_settled(stamp, now_ms)
        listing = read_listing(self._text(raw if settled else _whole_lines(raw)), self._path.name, self._zone, now_ms)
        if settled:
            self._read = stamp, self._as_of_ms
        return Listing(listing.bookings, listing.flaws, listing.complete and settled, self._as_of_ms)

    def list_changed(self, since_ms: int) -> Listing | None:
        """Nothing, where the file is the one of the listing of then."""
        stamp = self._stamp()
        if stamp is None:
            return Listing((), as_of_ms=since_ms)
        return Listing((), as_of_ms=since_ms) if self._read == (stamp, since_ms) else None

    def look_up(self, _hints: Sequence[Hint]) -> Listing:
        return Listing((), as_of_ms=self._now_ms())

    def _stamp(self) -> _Stamp | None:
        """None where there is no file and never was one."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._was_there = self._was_there or self._is_expected()
            if self._was_there:
                raise SourceAway(
                    f"{self._path} is no longer there: put it back, or one with its first line alone"
                ) from None
            return None
        except OSError as error:
            self._was_there = True
            raise SourceAway(
                f"{self._path} can't be read ({error.strerror}): give the hub's user the right to"
            ) from None
        self._was_there = True
        return _Stamp(found.st_ino, found.st_size, found.st_mtime_ns)

    def _is_settled(self, stamp: _Stamp, now_ms: int) -> bool:
        """By the file's own time; where that lies ahead, by how long it has been the same."""
        if self._seen is None or self._seen[0] != stamp:
            self._seen = stamp, now_ms
        written_ms = stamp.mtime_ns // 1_000_000
        return now_ms - (written_ms if written_ms <= now_ms else self._seen[1]) >= SETTLES_MS

    def _bytes(self) -> bytes:
        try:
            # Anything else, a pipe for one, might never end.
            if not self._path.is_file():
                raise SourceAway(f"{self._path} is no file")
            with self._path.open("rb") as file:
                raw = file.read(BYTES_MOST + 1)
        except OSError as error:
            reason = error.strerror or os.strerror(error.errno or 0)
            raise SourceAway(f"{self._path} can't be read ({reason}): give the hub's user the right to") from None
        if len(raw) > BYTES_MOST:
            raise SourceAway(
                f"{self._path} has more than {BYTES_MOST // 1_000_000} MB: keep only the days to come in it"
            )
        return raw

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise SourceAway(f"{self._path} is not UTF-8 in line {line}: save it as CSV in UTF-8") from None


def _whole_lines(raw: bytes) -> bytes:
    """Of a file that may still be written: half a time or half a code would be read as another."""
    return raw[: raw.rfind(b"\n") + 1]


def read_listing(text: str, file: str, zone: ZoneInfo, now_ms: int) -> Listing:
    """What a file says; complete where each line says at least which booking it is about. Raises SourceAway."""
    head, _, _ = text.partition("\n")
    separator = ";" if head.count(";") >= head.count(",") else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        columns = [name.strip().lower() for name in next(rows, [])]
        missing = NEEDED.difference(columns)
        if missing:
            raise SourceAway(f"{file} lacks the column {min(missing)!r} in its first line")
        twice = [name for name in COLUMNS if columns.count(name) > 1]
        if twice:
            raise SourceAway(f"{file} has the column {twice[0]!r} twice in its first line: keep one of them")
        read: list[tuple[str, Booking | Flaw]] = []
        line = rows.line_num + 1
        for row in rows:
            if any(field.strip() for field in row):
                about = f"{file}, line {line}"
                read.append((about, _booking(about, columns, row, separator, zone)))
            line = rows.line_num + 1
    except csv.Error as error:
        raise SourceAway(f"{file}, line {rows.line_num} can't be read ({error})") from None
    bookings = [(about, each) for about, each in read if isinstance(each, Booking)]
    flaws = [*(each for _, each in read if isinstance(each, Flaw)), *_twice(bookings)]
    complete = all(flaw.reference is not None for flaw in flaws)
    return Listing(tuple(booking for _, booking in bookings), tuple(flaws), complete, now_ms)


def _twice(bookings: Sequence[tuple[str, Booking]]) -> Iterator[Flaw]:
    """Two lines of one id may be two visitors, of whom one would be missed."""
    seen: dict[str, tuple[str, Booking]] = {}
    for about, booking in bookings:
        where, other = seen.setdefault(booking.id, (about, booking))
        if other != booking:
            yield Flaw(about, f"it has the id of {where}, but says something else: the last one counts", booking.id)


def _swallows(row: Sequence[str], columns: int, separator: str) -> bool:
    """Whether it is several lines in one, by their separators: what the others say would be missed, and be gone."""
    broken = any("\n" in field or "\r" in field for field in row)
    return broken and len(row) - 1 + sum(field.count(separator) for field in row) >= 2 * (columns - 1)


def _booking(about: str, columns: Sequence[str], row: Sequence[str], separator: str, zone: ZoneInfo) -> Booking | Flaw:
    if _swallows(row, len(columns), separator):
        return Flaw(about, "a quote in it is not closed, so that it runs into the lines after it")
    if len(row) < len(columns) or any(field.strip() for field in row[len(columns) :]):
        return Flaw(about, f"it has {len(row)} fields, the first line {len(columns)}")
    fields = {name: field.strip() for name, field in zip(columns, row, strict=False)}
    booking = fields["id"]
    if not booking or len(booking) > WORD_MOST:
        return Flaw(about, f"its id is empty or longer than {WORD_MOST} signs")
    # PostgreSQL keeps no text with one, and can't even be asked for it.
    if "\0" in booking:
        return Flaw(about, "its id holds a NUL, which no text has")
    start_ms, gone, code = _start_ms(fields["start"], zone), _GONE.get(fields.get("gone", "").lower()), _code(fields)
    if start_ms is None or gone is None or not code:
        return Flaw(about, _why(start_ms, gone), booking)
    return Booking(
        id=booking,
        reference=booking,
        service=fields["service"],
        start_ms=start_ms,
        code=code,
        name=shown_name(fields.get("name")),
        gone=gone,
    )


def _why(start_ms: int | None, gone: bool | None) -> str:
    """What is wrong with a line. What stands in a field is not repeated: a shifted one may hold a name."""
    if start_ms is None:
        return "its start is no time such as 2026-11-25 09:30 or 25/11/2026 09:30"
    if gone is None:
        return "its column gone is neither yes nor no"
    return "neither its code nor its id has a letter or digit"


def _code(fields: Mapping[str, str]) -> str:
    """What the confirmation says; the id where it says nothing else."""
    return confirmation_code(fields.get("code", "")) or confirmation_code(fields["id"])


def _start_ms(text: str, zone: ZoneInfo) -> int | None:
    """Local unless an offset says otherwise. A time that is there twice in autumn is the first of the two; one that a
    spring night leaves out is as much later as the clock was put forward.
    """
    at = _moment(text) if ":" in text else None
    if at is None or at.year not in _YEARS:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)


def _moment(text: str) -> datetime | None:
    french = _FRENCH.fullmatch(text)
    try:
        if french is None:
            return datetime.fromisoformat(text)
        day, month, year, hour, minute, second = (int(part or 0) for part in french.groups())
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - its zone is the file's
    except ValueError:
        return None
