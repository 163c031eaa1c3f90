"""Side by side with what a user would write instead; each prints a table and a last line `bench NAME key=value ...`."""

import sim  # noqa: F401 - chooses how to draw, which must happen before anybody imports mujoco
