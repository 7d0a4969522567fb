"""Fixtures that every test may ask for."""

pytest_plugins = ["tests.azure.azurite", "tests.azure.cosmos", "tests.contract.counts"]
