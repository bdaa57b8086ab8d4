"""Renders a desk's picture and its panels as HTML."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from markupsafe import Markup

from hub.site import Site
from hub.web.desk.booking_sentences import (
    arrival_of_panel,
    booking_state,
    date,
    day,
    list_age,
    list_mark,
    moment,
    report_reason,
    report_title,
    report_told,
)
from hub.web.desk.panels import Panel, SearchPanel, ServiceChoice
from hub.web.desk.picture import AsideTicket, DeskPicture, OtherService, Stage
from hub.web.desk.rights import Looker, everything
from hub.web.desk.sentences import headline, last_action_facts, next_line, reason_sentence, then_sentence
from hub.web.desk.start import LocalUse, StartDesk
from hub.web.words import clock, environment, say, spaced


@dataclass(frozen=True, slots=True)
class AsidePanel:
    """The full list of the tickets set aside, or of the absent ones."""

    parked: bool
    tickets: Sequence[AsideTicket]
    total: int
    now_ms: int


class DeskView:
    """Draws the desk pages of one site."""

    def __init__(self, site: Site, base: str = "") -> None:
        self._site = site
        self._zone = site.zone
        self._templates = environment(
            {
                "clock": self._clock,
                "to_the_second": partial(clock, zone=site.zone, seconds=True),
                "day": partial(day, zone=site.zone),
                "moment": partial(moment, zone=site.zone),
                "date": partial(date, zone=site.zone),
                "reason": partial(reason_sentence, zone=site.zone),
                "then": partial(then_sentence, zone=site.zone),
                "list_age": self._list_age,
                "list_mark": self._list_mark,
                "arrival": partial(arrival_of_panel, zone=site.zone),
                "booking_state": booking_state,
                "report_title": partial(report_title, zone=site.zone),
                "report_told": report_told,
                "report_reason": report_reason,
            },
            base,
        )
        # Compiled at start: otherwise each thread would compile them for itself, and 40 at once took half a minute.
        for name in self._templates.list_templates():
            self._templates.get_template(name)

    def page(
        self,
        picture: DeskPicture,
        looker: Looker,
        *,
        request_id: str,
        answer: str = "",
        panel: Panel | None = None,
        content: object = None,
        panel_query: str = "",
        confirm: ServiceChoice | None = None,
        screens: bool,
    ) -> str:
        """Render the whole page. `request_id`: the id of the one command that this page may send without script.

        `panel_query`: the query that asks for the page's panel again. `screens`: whether the hub reaches screens and
        buttons.
        """
        return self._templates.get_template("desk.html").render(
            **self._live_facts(picture),
            zone=self._zone,
            request_id=request_id,
            answer=Markup(answer),  # noqa: S704 - `said` made it
            panel=content,
            panel_name=_template_of(panel) if panel and content is not None else "",
            panel_query=panel_query,
            confirm=confirm,
            screens=screens,
            whole=True,
            looker=looker,
            may=looker.may,
        )

    def live(self, picture: DeskPicture) -> str:
        """Render the part of the page that changes; it is the same for all readers of this desk."""
        return self._templates.get_template("desk_live.html").render(
            **self._live_facts(picture),
            answer="",
            panel=None,
            panel_name="",
            confirm=None,
            whole=False,
            looker=None,
            may=everything,
        )

    def frame(self, picture: DeskPicture, *, screens: bool) -> str:
        """Render one live message: HTML to morph into the page, the hub's time, who is signed on, and `screens`."""
        message = {
            "content": self.live(picture),
            "revision": picture.revision,
            "now_ms": picture.now_ms,
            "agent": picture.agent.account if picture.agent else None,
            "before": picture.agent.before if picture.agent else None,
            "screens": screens,
        }
        return msgspec.json.encode(message).decode()

    def panel(
        self,
        panel: Panel,
        content: object,
        picture_of: tuple[str, str],
        may: Callable[[str], bool],
        confirm: ServiceChoice | None = None,
    ) -> str:
        """Render one panel alone. `picture_of`: name and number of the desk. `may`: whether an action is allowed."""
        desk, number = picture_of
        template = self._templates.get_template(f"panels/{_template_of(panel)}.html")
        return template.render(panel=content, p_desk=desk, p_number=number, confirm=confirm, whole=False, may=may)

    def said(self, sentence: str) -> str:
        """Render a refusal, shown in place of the last action; empty for an empty sentence."""
        return self._templates.get_template("said.html").render(sentence=sentence) if sentence else ""

    def told(self, sentence: str) -> str:
        """Render what a command did, for what the picture alone does not show; empty for an empty sentence."""
        return self._templates.get_template("told.html").render(sentence=sentence) if sentence else ""

    def start(
        self,
        desks: Sequence[StartDesk],
        left_waiting: Sequence[OtherService],
        uses: Sequence[LocalUse],
        looker: Looker,
        now_ms: int,
    ) -> str:
        return self._templates.get_template("start.html").render(
            site=self._site, desks=desks, left_waiting=left_waiting, uses=uses, looker=looker, now_ms=now_ms
        )

    def forbidden(self, sentence: str) -> str:
        return self._templates.get_template("forbidden.html").render(site=self._site, sentence=sentence)

    def refused(self, sentence: str, detail: str, *, leads_back: bool) -> str:
        """Render the answer to a person whose request for a page was refused. `detail`: for the administrator."""
        return self._templates.get_template("refused.html").render(
            site=self._site, sentence=sentence, detail=detail, leads_back=leads_back
        )

    def _live_facts(self, picture: DeskPicture) -> dict[str, Any]:
        return {
            "p": picture,
            "p_desk": picture.desk,
            "p_number": picture.number,
            "title": title(picture),
            "headline": headline(picture, picture.number),
            "next_line": next_line(picture, self._zone),
            "last": last_action_facts(picture.last, picture.now_ms, self._zone) if picture.last else [],
        }

    def _list_age(self, shown: DeskPicture | SearchPanel) -> str:
        return list_age(shown.list_state, self._zone, shown.now_ms)

    def _list_mark(self, shown: DeskPicture) -> str:
        return list_mark(shown.list_state, self._zone, shown.now_ms)

    def _clock(self, moment_ms: int) -> str:
        return clock(moment_ms, self._zone)


def _template_of(panel: Panel) -> str:
    return "aside" if panel in {Panel.PARKED, Panel.ABSENT} else panel


def title(picture: DeskPicture) -> str:
    """The title of the browser's tab: the ticket held, or the next one."""
    desk = say("Desk %(number)s", number=picture.number)
    if picture.held is not None:
        return f"{spaced(picture.held.number)} · {desk}"
    if picture.next is not None and picture.stage is not Stage.PAUSED:
        return say("%(number)s waits · %(desk)s", number=spaced(picture.next.number), desk=desk)
    return desk
