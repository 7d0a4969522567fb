"""Fixtures that every test may ask for."""

import os

os.environ.setdefault("DICOM_LOCAL_DATA", "./data")  # tests import the Function App as the embedded host does

pytest_plugins = ["tests.azure.azurite", "tests.azure.cosmos", "tests.contract.counts"]
