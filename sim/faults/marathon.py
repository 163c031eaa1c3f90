"""Hours of practice on the manual clock, and what they cost in memory and open files: for row 64. Run by the row.

    python -m sim.faults.marathon FOLDER HOURS SEED

The simulated arm behind its guard, a policy in the engine that a robot uses, and the real writer; each episode is read
back and deleted. Prints, after each, the hours so far, resident memory in MiB, open files, and whether it was whole.
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

from robot_rig.config import Config
from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Goal, Source
from robot_rig.learning.runtime import on_one_core, use_one_core
from robot_rig.loops.policy_loop import PolicyLoop
from robot_rig.stages.episode import EpisodePlan, log_episode
from robot_rig.stages.shipping import load_checkpoint
from sim.faults.made_steps import NO_LIMIT, picture
from sim.rig import SimRig
from sim.strangers.originals import originals

STEPS = 200
"""Of an episode: 20 s at 10 Hz."""


def resident_mib() -> float:
    """This process's memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    """Run; returns the exit code."""
    use_one_core()
    folder, hours, seed = sys.argv[1:]
    config = Config()
    rate = config.control.policy_rate_hz
    store, rig = EpisodeStore(Path(folder)), SimRig(config, int(seed))
    shipment = load_checkpoint(originals().checkpoint)
    policy = on_one_core(shipment.policy, shipment.manifest)
    loop = PolicyLoop(config.guard.image_age_limit_s, 1.0 / rate, config.control.lag_s)
    for number in range(round(float(hours) * 3600 * rate / STEPS)):
        path = store.next_path("practice")
        goal = Goal(picture(number), f"imagined-{number}", rig.now(), calibration_id="", source="imagined")
        writer = EpisodeWriter(path, policy.action_dim, goal.image, {"stage": "practice"}, room=NO_LIMIT)
        log_episode(rig, loop, EpisodePlan(policy, goal, Source.POLICY, STEPS), writer, lambda: None)
        episode = read_episode(path)
        whole = int(len(episode) == STEPS and not episode.truncated)
        path.unlink()
        del episode
        gc.collect()
        files = len(os.listdir("/proc/self/fd"))
        done = (number + 1) * STEPS / rate / 3600
        os.write(1, f"{done:.5f} {resident_mib():.3f} {files} {whole}\n".encode())
    rig.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
