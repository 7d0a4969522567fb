"""Imports point one way, and no module outgrows its subject."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PRODUCT = [path for folder in ("functions", "shared", "local") for path in sorted((ROOT / folder).rglob("*.py"))]
MAX_LINES = 400

MAY_IMPORT = {
    "shared.errors": set(),
    "shared.telemetry": {"shared.telemetry"},
    "shared.settings": set(),
    "shared.exchange": {"shared.access", "shared.storage.index.model"},
    "shared.access": {"shared.access", "shared.errors", "shared.settings", "shared.telemetry"},
    "shared.audit": {
        "shared.audit",
        "shared.exchange",
        "shared.access",
        "shared.errors",
        "shared.storage.audit.port",
        "shared.telemetry",
    },
    "shared.dicom": {"shared.dicom", "shared.errors"},
    "shared.dicomweb": {"shared.dicomweb", "shared.dicom", "shared.errors"},
    "shared.openapi": {
        "shared.openapi",
        "shared.dicom",
        "shared.dicomweb",
        "shared.services.operations",
        "shared.storage.index",
    },
    "shared.storage": {"shared.storage", "shared.dicom", "shared.errors", "shared.settings"},
    "shared.services": {"shared"},
    "functions": {"functions", "shared"},
    "local": {"local", "shared", "function_app", "functions.gate"},
}
"""For each package of ours, the packages of ours that it may import."""


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def within(module: str, packages: set[str]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def rule_for(module: str) -> set[str]:
    package = max((name for name in MAY_IMPORT if within(module, {name})), key=len)
    return MAY_IMPORT[package]


@pytest.mark.parametrize("path", PRODUCT, ids=module_name)
def test_imports_point_one_way(path: Path) -> None:
    module = module_name(path)
    if module in ("functions.__init__", "shared.__init__", "local.__init__"):
        return
    ours = {name for name in imports(path) if within(name, {"shared", "functions", "local", "function_app"})}
    wrong = {name for name in ours if not within(name, rule_for(module))}
    assert not wrong


@pytest.mark.parametrize("path", PRODUCT, ids=module_name)
def test_a_module_has_one_subject(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_nothing_blocks_on_http_in_the_product() -> None:
    clients = {"requests", "httpx", "urllib3"}
    assert not {module_name(path) for path in PRODUCT for name in imports(path) if name.split(".")[0] in clients}
