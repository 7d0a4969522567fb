"""Tells how many cases of each port's contract passed on each adapter; in a run of everything they must be as many."""

import re
from collections import Counter

import pytest

ADAPTERS = {"blobs": {"folder", "memory", "azurite"}, "index": {"sqlite", "cosmos"}}

passed: dict[str, Counter[str]] = {port: Counter() for port in ADAPTERS}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    case = re.match(r"tests/contract/test_(blobs|index)\w*\.py::\w+\[(.*)\]", report.nodeid)
    if case and report.when == "call" and report.passed:
        port, parameters = case.groups()
        passed[port].update(ADAPTERS[port].intersection(parameters.split("-")))


def pytest_sessionfinish(session: pytest.Session) -> None:
    everything = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS and not session.config.option.keyword
    if everything and any(len(set(counts.values())) > 1 for counts in passed.values()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for port, counts in passed.items():
        if counts:
            told = ", ".join(f"{count} on {adapter}" for adapter, count in counts.items())
            terminalreporter.write_line(f"Cases of the {port} contract that passed: {told}")
