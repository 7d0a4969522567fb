"""What is told of the service at work: its log, which may hold identifiers; its metrics and traces, which may not."""

from shared.telemetry.describe import describe

__all__ = ["describe"]
