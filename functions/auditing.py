"""Every request but health checks and preflights gets its record: in the log, and in the audit.

Where the audit has it, the log tells of reads and stores that succeed at level DEBUG only: they are nearly all there
is, and a line of the log takes more time than the whole record.
"""

import logging

from shared.access import DataAction
from shared.audit import audit_event, log_line
from shared.exchange import Exchange
from shared.services.context import process

logger = logging.getLogger("dicom.audit")

UNRECORDED = frozenset({"health", "metrics"})
"""Functions that machines call every few seconds."""
FREQUENT = frozenset({DataAction.READ, DataAction.WRITE})


async def audit(exchange: Exchange) -> None:
    """Record an exchange; when this returns its record will outlive the process, if the audit works."""
    if exchange.function in UNRECORDED or exchange.method == "OPTIONS":
        return
    trail = process.audit()
    plain = trail.works and exchange.succeeded and exchange.action in FREQUENT
    level = logging.DEBUG if plain else logging.INFO
    if logger.isEnabledFor(level):
        logger.log(level, "%s", log_line(exchange))
    await trail.record(audit_event(exchange))
