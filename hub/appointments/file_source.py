"""Bookings from a CSV file, for a site without Publik. Nothing is reported back.

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
# Enough for a year of a large town hall; a larger file is not a list of bookings.
BYTES_MOST = 20_000_000
WORD_MOST = 200
# A file modified more recently than this may not be complete yet: bookings that it lacks are not taken to be gone.
SETTLES_MS = 2_000
# A year outside this range is a mistake, and may not be convertible to a timestamp.
_YEARS = range(2000, 2200)
# The format of French spreadsheets; ISO 8601 is read too. `strptime` took seconds for ten thousand of them.
_FRENCH = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}) +(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
# A French spreadsheet turns a typed TRUE into VRAI.
_GONE = {
    **dict.fromkeys(("", "no", "0", "false", "non", "faux"), False),
    **dict.fromkeys(("yes", "1", "true", "cancelled", "oui", "vrai", "annulé"), True),
}


@dataclass(frozen=True, slots=True)
class _Stamp:
    """Identifies one version of the file; a changed file has another stamp."""

    inode: int
    size: int
    mtime_ns: int


class FileSource(ToldNothing):
    """A CSV file as a source.

    `zone`: time zone of the times in the file. `now_ms`: system time, compared with the file's modification time.
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
        # Stamp and `as_of_ms` of the last listing. If the hub did not keep that listing, `list_changed` is not called
        # with its time, so the file is read again.
        self._read: tuple[_Stamp, int] | None = None
        self._as_of_ms = 0
        self._seen: tuple[_Stamp, int] | None = None
        self._was_there = False

    @property
    def title(self) -> str:
        """The file's name; empty if there never was a file, since nobody expects one then."""
        # Not `Path.exists`: it raises if a parent folder is not accessible.
        return self._path.name if self._was_there or os.path.exists(self._path) else ""  # noqa: PTH110

    def list_all(self, _first_day: str, _last_day: str) -> Listing:
        """All bookings of the file. Raises SourceAway if it can't be read, or was there before and is missing."""
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
        """An empty listing if there is no file or it has not changed since the listing of `since_ms`; else None."""
        stamp = self._stamp()
        if stamp is None:
            return Listing((), as_of_ms=since_ms)
        return Listing((), as_of_ms=since_ms) if self._read == (stamp, since_ms) else None

    def look_up(self, _hints: Sequence[Hint]) -> Listing:
        return Listing((), as_of_ms=self._now_ms())

    def _stamp(self) -> _Stamp | None:
        """None if there is no file and never was one. Raises SourceAway."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._was_there = self._was_there or self._is_expected()
            if self._was_there:
                raise SourceAway(
                    f"{self._path} no longer exists: put it back; to cancel every booking, put back its first line only"
                ) from None
            return None
        except OSError as error:
            self._was_there = True
            raise SourceAway(
                f"{self._path} cannot be read ({error.strerror}): allow the hub's user to read it"
            ) from None
        self._was_there = True
        return _Stamp(found.st_ino, found.st_size, found.st_mtime_ns)

    def _is_settled(self, stamp: _Stamp, now_ms: int) -> bool:
        """Whether the file has not changed for SETTLES_MS.

        Judged by its modification time; if that lies in the future, by how long the hub has seen the same stamp.
        """
        if self._seen is None or self._seen[0] != stamp:
            self._seen = stamp, now_ms
        written_ms = stamp.mtime_ns // 1_000_000
        return now_ms - (written_ms if written_ms <= now_ms else self._seen[1]) >= SETTLES_MS

    def _bytes(self) -> bytes:
        try:
            # Reading anything else, such as a pipe, might never end.
            if not self._path.is_file():
                raise SourceAway(f"{self._path} is not a regular file: put the CSV file there")
            with self._path.open("rb") as file:
                raw = file.read(BYTES_MOST + 1)
        except OSError as error:
            reason = error.strerror or os.strerror(error.errno or 0)
            raise SourceAway(f"{self._path} cannot be read ({reason}): allow the hub's user to read it") from None
        if len(raw) > BYTES_MOST:
            raise SourceAway(
                f"{self._path} has more than {BYTES_MOST // 1_000_000} MB: keep only the coming days in it"
            )
        return raw

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            raise SourceAway(f"{self._path} is not UTF-8 in line {line}: save it as CSV in UTF-8") from None


def _whole_lines(raw: bytes) -> bytes:
    """The complete lines of a file that may still be being written: half a time or code would be read as another."""
    return raw[: raw.rfind(b"\n") + 1]


def read_listing(text: str, file: str, zone: ZoneInfo, now_ms: int) -> Listing:
    """Parse a file's text. The listing is complete if each line says at least which booking it is about.

    Raises SourceAway.
    """
    head, _, _ = text.partition("\n")
    separator = ";" if head.count(";") >= head.count(",") else ","
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        columns = [name.strip().lower() for name in next(rows, [])]
        missing = NEEDED.difference(columns)
        if missing:
            raise SourceAway(f"{file} has no column {min(missing)!r} in its first line: add it")
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
        raise SourceAway(f"{file}, line {rows.line_num} cannot be read ({error}): correct it") from None
    bookings = [(about, each) for about, each in read if isinstance(each, Booking)]
    flaws = [*(each for _, each in read if isinstance(each, Flaw)), *_twice(bookings)]
    complete = all(flaw.reference is not None for flaw in flaws)
    return Listing(tuple(booking for _, booking in bookings), tuple(flaws), complete, now_ms)


def _twice(bookings: Sequence[tuple[str, Booking]]) -> Iterator[Flaw]:
    """A flaw for each line that repeats an id: the two may be two visitors, one of whom would be missed."""
    seen: dict[str, tuple[str, Booking]] = {}
    for about, booking in bookings:
        where, other = seen.setdefault(booking.id, (about, booking))
        if other != booking:
            yield Flaw(about, f"it has the same id as {where}, but differs from it: the last one counts", booking.id)


def _swallows(row: Sequence[str], columns: int, separator: str) -> bool:
    """Whether an unclosed quote has merged several lines into this row, judged by the number of separators.

    The bookings of the merged lines would otherwise be missed and taken to be gone.
    """
    broken = any("\n" in field or "\r" in field for field in row)
    return broken and len(row) - 1 + sum(field.count(separator) for field in row) >= 2 * (columns - 1)


def _booking(about: str, columns: Sequence[str], row: Sequence[str], separator: str, zone: ZoneInfo) -> Booking | Flaw:
    if _swallows(row, len(columns), separator):
        return Flaw(about, "a quote in it is not closed, so it runs on into the next lines")
    if len(row) < len(columns) or any(field.strip() for field in row[len(columns) :]):
        return Flaw(about, f"it has {len(row)} fields, but the first line has {len(columns)}")
    fields = {name: field.strip() for name, field in zip(columns, row, strict=False)}
    booking = fields["id"]
    if not booking or len(booking) > WORD_MOST:
        return Flaw(about, f"its id is empty or longer than {WORD_MOST} characters")
    # PostgreSQL accepts no text with a NUL, not even as a query parameter.
    if "\0" in booking:
        return Flaw(about, "its id contains a null character")
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
    """What is wrong with a line. The field's value is not repeated: in a shifted row it may be a visitor's name."""
    if start_ms is None:
        return "its start is not a time such as 2026-11-25 09:30 or 25/11/2026 09:30"
    if gone is None:
        return "its column gone is neither yes nor no"
    return "neither its code nor its id has a letter or digit"


def _code(fields: Mapping[str, str]) -> str:
    """The confirmation code; the id if the line gives no code."""
    return confirmation_code(fields.get("code", "")) or confirmation_code(fields["id"])


def _start_ms(text: str, zone: ZoneInfo) -> int | None:
    """In ms since 1970 UTC; None if the text is no usable time. Local time unless the text has a UTC offset.

    A time that occurs twice in autumn is the first of the two. One that is skipped in spring is moved later by the
    length of the gap.
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
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the caller adds the zone
    except ValueError:
        return None
