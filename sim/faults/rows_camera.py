"""Rows of the table of faults about the camera, caused in the cable between camera and camera node."""

from __future__ import annotations

from sim.faults import judges
from sim.faults.evidence import Evidence
from sim.faults.judges import Verdict
from sim.faults.rows import Row, Stage

IMAGE_AGE_S = 0.25
BACK_S = 5.0
"""Row 1: pictures that return lead to motion again within this; longer away than this, and a person is needed."""


def unplug(stage: Stage) -> None:
    """Silence for a while that the guard may or may not wait out."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("fault")
    stage.tell("camera", kind="silence")
    stage.wait(float(stage.random.choice([stage.random.uniform(0.6, 4.0), stage.random.uniform(6.0, 7.0)])))
    stage.mark("return")
    stage.tell("camera", kind="none")
    stage.wait(2.5)


def judge_unplugged(evidence: Evidence) -> Verdict:
    """Zero by L + 100 ms after the last exposure; motion again only if the pictures came back in time."""
    verdict, fault, back = Verdict(), evidence.marks["fault"], evidence.marks["return"]
    verdict.add(judges.moved_before(evidence, fault))
    last = max(one.exposed for one in evidence.passed if one.t < back)
    judges.stopped(evidence, verdict, last + IMAGE_AGE_S, back)
    verdict.add(judges.told(evidence, ["image_stale", "action_stale"], fault, last + IMAGE_AGE_S + 0.3))
    moved = judges.moves(evidence, back, evidence.end)
    if back - last < BACK_S and not moved:
        verdict.add([f"no motion though the pictures were back after {back - last:.1f} s"])
    if back - last > BACK_S + 0.5 and moved:
        verdict.add([f"motion by itself after {back - last:.1f} s without pictures"])
    return verdict


ROWS = (Row(1, "camera unplugged", unplug, judge_unplugged),)
