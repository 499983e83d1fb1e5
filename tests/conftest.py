"""Settings of every test run. Fixtures live beside the tests that use them."""

from __future__ import annotations

from hypothesis import settings

# A shared machine is slow at times: a deadline a test would make chance decide. The examples are the same in every run.
settings.register_profile("project", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("project")
