"""What the guard's codes mean, for people: what happened, what the arm did, what to do next.

The console, the dashboard and the report look sentences up here; there is no second place that explains a code.
"""

from __future__ import annotations

from collections.abc import Iterable

REASONS: dict[str, str] = {
    "disabled": "The arm is disabled. It does not move. Enable it when nobody is in reach.",
    "hold": "The arm is on hold. It stands still. Enable it, or send it home, when it may move again.",
    "fault": "A fault is latched. The arm was stopped at once. Find out why, then reset and enable it.",
    "no_action": "No action has come yet. The arm stands still. Start the policy, or lead it yourself in teleop.",
    "human_has_arm": (
        "A person has taken the arm. The policy's action was not followed. Hand it back (p in teleop), or enable again."
    ),
    "other_source": "Another source is moving the arm. This one was not followed. Stop the other one first.",
    "visit_ended": (
        "Somebody else wanted the arm while a program led it from posture to posture. That program leads no further: "
        "the arm came to rest and is on hold. Choose who is to lead, end the other one, then enable."
    ),
    "source_change": "Another source has taken over. The arm comes to rest first. Nothing to do.",
    "action_garbled": (
        "An action is not a number, beyond [-1, 1] or of the wrong length. The arm came to rest. It goes on with the "
        "next good one within 5 s; check the output of whoever sends it."
    ),
    "out_of_order": (
        "An action is older than one already followed. The arm came to rest. If the policy was restarted, "
        "enable the arm again."
    ),
    "image_stale": (
        "The picture is too old. The arm came to rest. It goes on with fresh pictures within 5 s; check the camera."
    ),
    "image_frozen": (
        "The camera repeats one picture although the arm moves. The arm came to rest. It goes on with fresh pictures "
        "within 5 s; restart the camera."
    ),
    "image_dark": (
        "The picture is too dark. The arm came to rest. It goes on with good pictures within 5 s; uncover the lens, "
        "check light and exposure."
    ),
    "image_bright": (
        "The picture is over-exposed. The arm came to rest. It goes on with good pictures within 5 s; check light and "
        "exposure."
    ),
    "image_refused": (
        "The camera's pictures have another size or encoding than agreed, come from two nodes, or none come. The arm "
        "came to rest and the camera node has ended. Set the camera right, start the node again, then enable."
    ),
    "camera_moved": (
        "The camera came back, and was not found to stand where it was calibrated. The arm came to rest and the camera "
        "node has ended. Put the camera back by its marks or calibrate it anew, start the node again, then enable."
    ),
    "camera_ended": (
        "The camera's pictures have ended for good: its recording is over, or its driver has ended. The arm came to "
        "rest and the camera node has ended. See what the node's log says, start it again, then enable."
    ),
    "second_commander": (
        "Another node can command the arm. Its motors were switched off. Stop that node, or confirm it to the arm "
        "process, then enable."
    ),
    "other_commander_seen": (
        "Another node can command the arm. Motors that are on stay on: this program has not switched them off because "
        "of it. Stop that node, or confirm it to the arm process, then enable."
    ),
    "action_stale": (
        "The action is too old: whoever leads has paused, hangs or has ended. The arm came to rest. It goes on with "
        "fresh actions within 5 s; check the policy process, or in teleop go on yourself."
    ),
    "state_stale": (
        "The arm's report is too old. The arm came to rest. It goes on with fresh reports within 5 s; check "
        "the robot's network."
    ),
    "clock_ahead": "A stamp lies in the future. The arm came to rest. Check how the sender's clock is mapped.",
    "state_garbled": (
        "The arm's report holds something that is not a number. The arm was stopped at once. Check the driver, then "
        "reset and enable."
    ),
    "wish_garbled": (
        "The controller asked for an impossible speed. The arm came to rest. It goes on with the next good one within "
        "5 s; report this with the log."
    ),
    "joint_limit": "A joint is near its limit. Its motion towards it was braked. Home the arm if it stays there.",
    "box": "The tool is near a wall of its box. Motion towards the wall was braked. Nothing to do.",
    "table": "A link is near the table. Motion towards it was braked. Home the arm if it stays there.",
    "keep_out": (
        "A link or the tool is near a keep-out box. Motion towards it was braked. Home the arm if it stays there."
    ),
    "tool_speed": "The tool would be too fast. The whole motion was slowed. Nothing to do.",
    "joint_speed": "A joint would be too fast. The whole motion was slowed. Nothing to do.",
    "near_singular": "The arm is almost stretched out. The whole motion was slowed. Move the box or home the arm.",
    "singular": "The arm is stretched out. It stands still. Home it.",
    "slew": "The speed changed too quickly. The change was spread over several ticks. Nothing to do.",
    "brake": "A wall came near while the speed was still changing. The arm brakes in full. Nothing to do.",
    "bound_finite": (
        "A command was not a number after all checks. The arm was stopped at once. Report this with the log; once the "
        "cause is known, reset and enable."
    ),
    "bound_joint_speed": (
        "A joint's command was too fast after all checks. The arm was stopped at once. Report this with the log; once "
        "the cause is known, reset and enable."
    ),
    "bound_tool_speed": (
        "The tool would have been too fast after all checks. The arm was stopped at once. Look for a jump in the joint "
        "positions, then reset and enable."
    ),
    "bound_slew": (
        "A command changed too quickly after all checks. The arm was stopped at once. Report this with the log; once "
        "the cause is known, reset and enable."
    ),
    "bound_space": (
        "The arm could not have stopped before a wall. It was stopped at once. Look for a jump in the joint positions, "
        "then reset and enable."
    ),
    "arm_disabled": "The arm reports that its motors are off. It does not move. Enable it again.",
    "arm_stopped": (
        "The arm reports that it is stopped, by its button or by another program. It was stopped at once. Release the "
        "button, or find out who else stopped it, then reset and enable."
    ),
    "arm_error": (
        "The arm reports an error. It was stopped at once. Read the robot's own message, then reset and enable."
    ),
    "collision": "The arm reports a collision. It was stopped at once. Clear the way, then reset and enable.",
    "stop": "A person or a program ordered a stop. The arm was stopped at once. Reset and enable it when it is safe.",
    "not_disarmed": (
        "The motors were to be switched off, and the robot did not do so. The arm was stopped at once instead. Press "
        "the red button, find out why, then reset and enable."
    ),
    "tick_failed": (
        "The arm process has failed or hangs. The arm was stopped at once and the process ends. Keep its log, start it "
        "again, then reset and enable."
    ),
    "lapsed": "Data stayed stale for too long. The arm is on hold. Mend the source, then enable.",
    "new_sender": (
        "The program that led the arm has ended, is silent or was started anew. The arm came to rest and is on hold. "
        "Find out why it ended, then enable."
    ),
    "trailing": (
        "The arm does not follow its commands: somebody holds it, or something is in its way. It came to rest and is "
        "on hold. Clear the way, then enable."
    ),
    "pushed": (
        "A motor works harder than the arm's weight explains: the arm pushes against something. It was stopped at "
        "once. Clear the way, then reset and enable."
    ),
    "overrun": (
        "The arm process came too late three times in a row: the machine is too busy. The arm came to rest and is on "
        "hold. Stop what loads this machine, see the real-time lines of `rig doctor`, then enable."
    ),
    "homing_late": (
        "Home, or the posture that a program asked for, was not reached in time. The arm is on hold. Move it by hand "
        "nearer to it, or choose via poses, then enable."
    ),
    "master_silent": (
        "The ROS master does not answer. The arm goes on as before, but no episode begins and nobody can enable it. "
        "Start the launch file again, then enable."
    ),
    "arm_silent": (
        "The arm process is silent: it has ended, hangs or cannot be heard. The policy sends nothing, and without the "
        "arm process the robot stands still. Start the arm process again, then enable."
    ),
    "recorder_silent": (
        "The recorder is silent: it has ended or hangs. The episode was cut short and the arm came to rest. Start the "
        "recorder again; a new episode then begins."
    ),
    "recorder_failed": (
        "The recorder cannot write its log, as on a full disk. The episode was cut short and the arm came to rest. "
        "Read the reason beside this, and make room on the disk."
    ),
    "policy_not_numbers": (
        "The policy's answer is not a number. The episode was cut short and the arm came to rest. Go back to the "
        "checkpoint before this one."
    ),
    "engine_failed": (
        "The GPU has failed the policy, or has no memory left. The arm goes on as before: the same policy acts on the "
        "CPU. Stop what else uses the GPU, then start the policy again."
    ),
    "computer_hot": (
        "This computer is too hot. An episode that runs is finished; no other begins, and the arm stands still. See to "
        "its fan and its load."
    ),
    "battery_low": (
        "This computer's battery is almost empty. An episode that runs is finished; no other begins, and the arm "
        "stands still. Plug it in."
    ),
}
"""Reason code -> one plain paragraph of three sentences."""

SAID_BY_OTHERS = {
    "the arm process is silent": "arm_silent",
    "the recorder is silent": "recorder_silent",
    "the recorder has failed": "recorder_failed",
    "the recorder did not open a file": "recorder_failed",
    "holds something that is not a number": "policy_not_numbers",
    "has failed, its spare acts": "engine_failed",
    "the ROS master does not answer": "master_silent",
    "this computer is at": "computer_hot",
    "this computer's battery is at": "battery_low",
}
"""What policy and recorder say in words of their own -> the code for it."""


def code_said(text: str) -> str:
    """The code of what policy or recorder say in `text`; empty where there is none for it."""
    return next((code for words, code in SAID_BY_OTHERS.items() if words in text), "")


WAITED_FOR = frozenset(
    {
        *("no_action", "action_garbled", "action_stale", "image_stale", "state_stale", "clock_ahead", "out_of_order"),
        *("human_has_arm", "other_source", "source_change", "wish_garbled"),
    }
)
"""Codes of the condition HELD, in which the arm waits to go on by itself."""


def explained(codes: Iterable[str]) -> dict[str, str]:
    """Each of `codes` that there is, in their order -> what to tell people of it.

    Of what the arm waited for until that `lapsed` only the cause is told: what to do about it was for the time before.
    """
    known = [code for code in codes if code in REASONS]
    return {
        code: f"Because of this: {REASONS[code].partition('. ')[0]}."
        if code in WAITED_FOR and "lapsed" in known
        else REASONS[code]
        for code in known
    }
