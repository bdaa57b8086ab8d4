"""Where each desk looks for its next ticket, and with which handicap, from the site file. Pure."""

from hub.queue.order import STRICT_HEAD_START_MS, Kind
from hub.site import MINUTE_MS, Desk, Service, Site


def look_ups(site: Site, desk: Desk) -> list[dict[str, object]]:
    """The desk's rows of `desk_service`: one for each service and kind."""
    services = {service.name: service for service in site.services}
    delays_ms = dict.fromkeys(desk.serves, 0) | {helped.service: helped.delay_min * MINUTE_MS for helped in desk.helps}
    return [
        {
            "site": site.name,
            "desk": desk.name,
            "service": name,
            "kind": str(kind),
            "hall": services[name].hall,
            "handicap_ms": delay_ms - (STRICT_HEAD_START_MS if goes_first(services[name], kind) else 0),
            "early_ms": services[name].early_call_min * MINUTE_MS,
        }
        for name, delay_ms in delays_ms.items()
        for kind in Kind
    ]


def goes_first(service: Service, kind: Kind) -> bool:
    """Whether tickets of this kind get the head start of a strict service."""
    return service.strict and kind is Kind.TIMED
