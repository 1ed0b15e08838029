"""Plugins of the whole test run; fixtures live in tests/conftest.py."""

pytest_plugins = ["tests.plugins.required"]
