"""Plugins of the whole test run, and the signals it starts from; fixtures live in tests/conftest.py."""

import signal

pytest_plugins = ["tests.plugins.required"]

# A run in the background may have been started with these ignored, which every child process would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
