"""Every exchange is counted for the metrics."""

from shared.access import DataAction
from shared.exchange import Exchange
from shared.telemetry.meters import meters
from shared.telemetry.metrics import DELETED, STORED


def count(exchange: Exchange) -> None:
    """Count an exchange, and the instances that it stored or deleted."""
    request = exchange.function, exchange.method, exchange.route, exchange.status
    meters.request(request, exchange.duration, exchange.received, exchange.sent)
    if exchange.touched:
        meters.add(DELETED if exchange.action is DataAction.DELETE else STORED, exchange.touched)
