"""The suites: each module has a context manager ``suite(scratch)`` that gives one `harness.Suite`."""
