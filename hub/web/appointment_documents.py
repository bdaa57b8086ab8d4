"""The API's documents about appointments. None of them contains a visitor's name."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from hub.web.documents import EXAMPLE_AT, EXAMPLE_ID, Document, RequestId, Time, example


class AppointmentsDocument(Document):
    """How old the list of bookings is."""

    model_config = example(source="Publik", as_of=EXAMPLE_AT, late=False, reason=None, flaws=0, failed=2)

    source: Annotated[str, Field(description="The source's name for staff; empty if there is no source.")]
    as_of: Annotated[Time | None, Field(description="When the list was last brought up to date.")]
    late: Annotated[bool, Field(description="Whether that is longer ago than it should be.")]
    reason: Annotated[str | None, Field(description="Why the list is late, in one English sentence.")]
    flaws: Annotated[int, Field(description="Number of bookings that cannot be shown.")]
    failed: Annotated[int, Field(description="Number of reports that the source refused for good.")]


class ReportDocument(Document):
    """A report that the source refused.

    `kind`: what was reported. `error`: why the source refused it, in one English sentence.
    """

    report: int
    booking: str
    ticket: int
    number: str | None
    appointment_at: Time
    kind: Literal["arrived", "served", "absent", "cancelled"]
    since: Time
    attempts: int
    error: str


class ReportsDocument(Document):
    """The first 50 reports that failed for good, oldest first, and how many there are in all."""

    model_config = example(
        total=1,
        reports=[
            {
                "report": 12,
                "booking": "rendez-vous/47",
                "ticket": 17,
                "number": "A012",
                "appointment_at": EXAMPLE_AT,
                "kind": "served",
                "since": EXAMPLE_AT,
                "attempts": 1,
                "error": "the request has no such step",
            }
        ],
    )

    total: int
    reports: tuple[ReportDocument, ...]


class RetryAsked(Document):
    model_config = example(id=EXAMPLE_ID)

    id: RequestId | None = None


class PushDocument(Document):
    """An answer in Publik's own format: `err` is 0 if the call was accepted."""

    model_config = ConfigDict(extra="allow", frozen=True, json_schema_extra={"examples": [{"err": 0}]})

    err: int
    err_desc: str | None = None
