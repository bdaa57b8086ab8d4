"""Finds the site's desks, services and halls by name."""

from typing import Any

from hub.queue.look_ups import look_ups
from hub.queue.refusals import Unknown
from hub.site import Desk, Hall, Service, Site


class SiteIndex:
    """The site's parts by name. `desk`, `service` and `hall` raise Unknown if there is none of that name."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._desks = {desk.name: desk for desk in site.desks}
        self._services = {service.name: service for service in site.services}
        self._halls = {hall.name: hall for hall in site.halls}
        self._serving: dict[str, tuple[Desk, ...]] = {
            service.name: tuple(desk for desk in site.desks if service.name in served_by(desk))
            for service in site.services
        }

        self._looks = {desk.name: look_ups(site, desk) for desk in site.desks}

    def desk(self, name: str) -> Desk:
        if name not in self._desks:
            raise Unknown("desk", name)
        return self._desks[name]

    def find_desk(self, name: str | None) -> Desk | None:
        """The desk, or None: a ticket may name a desk of an earlier configuration."""
        return self._desks.get(name) if name is not None else None

    def number_of(self, desk: str | None) -> str:
        """A desk's number, or the desk's name if the site no longer has it."""
        found = self.find_desk(desk)
        return found.number if found else desk or ""

    def service(self, name: str) -> Service:
        if name not in self._services:
            raise Unknown("service", name)
        return self._services[name]

    def find_service(self, name: str) -> Service | None:
        """The service, or None: a ticket may name a service of an earlier configuration."""
        return self._services.get(name)

    def hall_of(self, service: str) -> str | None:
        found = self._services.get(service)
        return found.hall if found else None

    def has_hall(self, name: str) -> bool:
        return name in self._halls

    def hall(self, name: str) -> Hall:
        if name not in self._halls:
            raise Unknown("hall", name)
        return self._halls[name]

    def look_ups(self, desk: str) -> list[dict[str, Any]]:
        """Where a desk looks for its next ticket: rows of `desk_service`."""
        return self._looks[desk]

    def desks_of(self, service: str) -> tuple[Desk, ...]:
        return self._serving.get(service, ())


def served_by(desk: Desk) -> frozenset[str]:
    """The services a desk serves or helps out with."""
    return frozenset(desk.serves) | {helped.service for helped in desk.helps}
