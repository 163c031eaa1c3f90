"""Is this camera still the one that was calibrated, and does it stand where it stood? Asked at every start.

Called by the camera node of a real arm, which does not start when this refuses, by `rig doctor` and `rig calibrate
check`. The simulated camera stands where its settings put it and has no serial number: whoever starts it asks for no
check. Pure but for the files that it reads.
"""

from __future__ import annotations

from typing import NamedTuple

from calibration.light import Light
from calibration.moved import Shift, picture_shift, swaps_red_and_blue
from calibration.records import EyeRecord, HandEyeRecord, LensRecord, Record
from calibration.results import Results
from robot_rig.config import CameraConfig
from robot_rig.datatypes import Bytes
from robot_rig.errors import UserError

MOST_MOVED_PX = 5.0
"""Of the raw picture: one pixel of the policy's. From there on a goal picture of before is 7 mm off at 0.85 m."""

CALIBRATE = "calibrate it: `rig calibrate crop`, see docs/calibration.md"


class Checked(NamedTuple):
    """What counts for this camera: its eye, what else is known, how far its picture has shifted, and its light."""

    eye: EyeRecord
    lens: LensRecord | None
    hand_eye: HandEyeRecord | None
    shift: Shift
    light: Light


def check_camera(results: Results, serial: str, rgb: Bytes, camera: CameraConfig) -> Checked:
    """The calibration under which the camera `serial` may guide a real arm; `rgb` is its picture of now.

    An empty `serial` is that of a camera that cannot say it: then the only one that was calibrated is meant. Raises
    UserError, with what to do, when nothing was calibrated, another camera was, or this one in another resolution; when
    the settings look through another window; when the camera has moved by 5 px or that cannot be told; when red and
    blue are swapped; and when the scene is far brighter, darker or of other colours than it was.
    """
    eye = _newest_eye(results, serial)
    height, width = rgb.shape[:2]
    others = (results.newest(eye.serial, LensRecord), results.newest(eye.serial, HandEyeRecord))
    for record in (eye, *others):
        if record is not None:
            refuse_other_size(record, (width, height))
    if different := eye.differs(camera):
        raise UserError(
            f"{', '.join(different)} is not the window that was calibrated on {eye.taken}",
            next_step="give the settings of then with --config (`rig calibrate settings` writes them), or choose anew: "
            "`rig calibrate crop`, after which goals must be taken anew too",
        )
    reference = results.reference(eye)
    if swaps_red_and_blue(reference, rgb):
        raise UserError(
            f"red and blue are swapped against the picture of {eye.taken}",
            next_step="let the camera's node declare the encoding that it sends, rgb8 or bgr8",
        )
    light = Light(reference)
    doubt = light.doubt(rgb)
    shift = _refuse_moved(picture_shift(reference, rgb), eye, doubt)
    if doubt:
        raise UserError(
            f"the picture {doubt} that of {eye.taken}",
            next_step="see to light, lens and exposure and start again, for then exposure and white balance are found; "
            "or calibrate in this light, `rig calibrate crop`, and let the robot play in it",
        )
    return Checked(eye, *others, shift, light)


def _newest_eye(results: Results, serial: str) -> EyeRecord:
    known = results.serials()
    if not known:
        raise UserError(f"no camera has been calibrated in {results.folder}", next_step=CALIBRATE)
    if not serial and len(known) > 1:
        raise UserError(
            "the camera does not say its serial number, and several were calibrated",
            choices=known,
            next_step="say which one it is: serial:=NUMBER in the launch file, --serial elsewhere",
        )
    chosen = serial or known[0]
    if chosen not in known:
        raise UserError(
            f"this is the camera {chosen}, and that was never calibrated",
            choices=known,
            next_step=f"plug the calibrated one in, or {CALIBRATE}",
        )
    eye = results.newest(chosen, EyeRecord)
    if eye is None:
        raise UserError(f"the camera {chosen} has no window and no reference picture yet", next_step=CALIBRATE)
    return eye


def outdated(results: Results, hand_eye: HandEyeRecord) -> str:
    """Why `hand_eye` counts no more: the camera was moved since, by the reference pictures of then and now; or empty.

    Where no reference picture is as old as it is, nothing can be told.
    """
    eyes = results.history(hand_eye.serial, EyeRecord)
    before = [eye for eye in eyes if eye.taken <= hand_eye.taken]
    if not before or before[-1] is eyes[-1]:
        return ""
    then, since = before[-1], eyes[-1]
    shift = picture_shift(results.reference(then), results.reference(since)) if then.size == since.size else None
    if shift is not None and shift.pixels < MOST_MOVED_PX:
        return ""
    how = "shows another view than" if shift is None else f"is shifted by {shift.pixels:.1f} px against"
    return f"the hand-eye of {hand_eye.taken} is out of date: the reference picture of {since.taken} {how} that of then"


def refuse_outdated(results: Results, hand_eye: HandEyeRecord) -> None:
    """Raise UserError when the camera was moved since `hand_eye`."""
    if why := outdated(results, hand_eye):
        raise UserError(why, next_step="the camera was moved: `rig calibrate poses` and `handeye` anew")


def refuse_other_size(record: Record, size: tuple[int, int]) -> None:
    """Raise UserError when `record` is of another resolution than `size` (W, H) px."""
    if record.size != size:
        raise UserError(
            f"the camera gives {size[0]}x{size[1]} px, and {record.kind_name} was calibrated at "
            f"{record.width_px}x{record.height_px} on {record.taken}",
            next_step="set the camera to the resolution of then, or calibrate all of it in this one",
        )


def _refuse_moved(shift: Shift | None, eye: EyeRecord, doubt: str) -> Shift:
    again = "put it back by its marks, or calibrate anew: `rig calibrate crop`, then goals and hand-eye"
    if shift is None:
        raise UserError(
            f"the picture has too little in common with the reference picture of {eye.taken}, or repeats itself too "
            "regularly (holes, tiles), to see whether the camera has moved" + (f"; it {doubt} that" if doubt else ""),
            next_step=f"light the scene as then, and bring the arm to where it was; if the camera has moved, {again}; "
            "on a table full of holes lay out something that stays, then `rig calibrate crop`",
        )
    if shift.pixels >= MOST_MOVED_PX:
        raise UserError(
            f"the camera has moved: its picture is shifted by {shift.pixels:.1f} px against that of {eye.taken}, and "
            f"{MOST_MOVED_PX:g} are too many",
            next_step=again,
        )
    return shift
