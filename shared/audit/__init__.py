"""The audit: a record of every request."""

from shared.audit.record import audit_event, log_line
from shared.audit.trail import Trail

__all__ = ["Trail", "audit_event", "log_line"]
