"""Metrics as Prometheus reads them: its text format, version 0.0.4."""

from collections.abc import Iterable, Iterator
from itertools import accumulate

from shared.telemetry.metrics import Distribution, Family, Kind, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
TYPES = {Kind.COUNTER: "counter", Kind.HISTOGRAM: "histogram", Kind.GAUGE: "gauge", Kind.UP_DOWN_COUNTER: "gauge"}
UNITS = {"s": "seconds", "By": "bytes"}


def text(families: Iterable[Family]) -> str:
    """The families, with names as OpenTelemetry's compatibility rules have them."""
    return "".join(f"{line}\n" for family in families if family.points for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    name = _name(family.metric)
    yield f"# HELP {name} {family.metric.description}"
    yield f"# TYPE {name} {TYPES[family.metric.kind]}"
    for point in family.points:
        labels = [f'{_plain(label)}="{_escaped(str(value))}"' for label, value in point.attributes.items()]
        if isinstance(point.value, Distribution):
            yield from _distribution(name, labels, point.value)
        else:
            yield f"{name}{_braced(labels)} {_number(point.value)}"


def _distribution(name: str, labels: list[str], value: Distribution) -> Iterator[str]:
    for bound, count in zip((*value.bounds, "+Inf"), accumulate(value.counts), strict=True):
        bucket = _braced([*labels, f'le="{bound}"'])
        yield f"{name}_bucket{bucket} {count}"
    yield f"{name}_sum{_braced(labels)} {_number(value.total)}"
    yield f"{name}_count{_braced(labels)} {sum(value.counts)}"


def _name(metric: Metric) -> str:
    parts = [_plain(metric.name), *([UNITS[metric.unit]] if metric.unit in UNITS else [])]
    return "_".join([*parts, "total"] if metric.kind is Kind.COUNTER else parts)


def _plain(name: str) -> str:
    return name.replace(".", "_")


def _braced(labels: list[str]) -> str:
    return f"{{{','.join(labels)}}}" if labels else ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
