"""What the operating system is asked for a tick that must be on time, as far as it can be seen from outside."""

from __future__ import annotations

import subprocess
import sys

from tests.house import ROOT

FETCH = """
from robot_rig.ros.real_time import fetch_code
import numba

def absent():
    pages, code = 0, False
    for line in open("/proc/self/smaps"):
        words = line.split()
        if "-" in words[0] and len(words[0]) > 16:
            code = words[1].startswith("r-x") and words[-1].startswith("/")
        elif words[0] in ("Size:", "Rss:") and code:
            pages += int(words[1]) if words[0] == "Size:" else -int(words[1])
    return pages

print(absent(), fetch_code(), absent(), sep="; ")
"""


def test_all_code_that_is_loaded_is_in_memory_once_it_has_been_fetched() -> None:
    """Counted by the kernel, in kB of loaded libraries that this process would have to ask it for."""
    done = subprocess.run([sys.executable, "-c", FETCH], cwd=ROOT, capture_output=True, text=True, check=True)
    before, said, after = done.stdout.strip().split("; ")
    assert int(before) > 1000
    assert int(after) == 0 or "before 5.14" in said
