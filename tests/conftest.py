"""For all tests: `sim` comes before anything that imports MuJoCo, because it chooses the GL library to bind."""

import sim  # noqa: F401
