"""What the words of `rig calibrate` do: files in, a solver, a table for a person, a dated result.

Nothing here moves an arm. Pictures are read as a stranger's, results are never overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from calibration.board import Board, BoardFinder, Sighting
from calibration.board_pdf import PAPERS, board_pdf
from calibration.check import check_camera, outdated, refuse_other_size, refuse_outdated
from calibration.crop import exact_factors, window
from calibration.drawing import draw_window
from calibration.hand_eye import HandEyeFit, HandView, solve_hand_eye
from calibration.intrinsics import LensFit, solve_intrinsics
from calibration.moved import can_be_compared
from calibration.records import EyeRecord, HandEyeRecord, LensRecord, Motion, Record, SolverResidual, board_numbers
from calibration.results import Results, now
from calibration.views import DESCRIPTION, description, read_joints, read_picture, view_names
from calibration.workspace import see_box
from drivers.arm_description import read_arm_table
from robot_rig.cli.progress import stage_bar
from robot_rig.config import CameraConfig, Config
from robot_rig.datatypes import Bytes, RawFrame
from robot_rig.disk import appearing, write_atomically
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.vision import preprocess, save_picture

MOST_IN_WINDOW = 0.999


def board(chosen: Board, paper: str, out: Path, console: Console) -> int:
    """Write the PDF of a board."""
    page = board_pdf(chosen, PAPERS[paper])
    with appearing(out) as fresh:
        write_atomically(fresh, page)
    say(console, f"{out}: print it at 100 %, measure the rulers, glue it flat")
    return 0


def intrinsics(folder: Path, serial: str, chosen: Board, config: Config, results: Results, console: Console) -> int:
    """The lens from the pictures in `folder`."""
    seen = _sightings(folder, chosen, config.camera, console)
    size = (config.camera.width_px, config.camera.height_px)
    fit = solve_intrinsics(seen, size)
    console.print(_lens_table(fit), highlight=False)
    lens, spread = fit.lens, fit.deviation_px
    say(
        console,
        f"focal {lens.focal_u:.1f} +- {spread[0]:.1f}, {lens.focal_v:.1f} +- {spread[1]:.1f} px; centre "
        f"{lens.center_u:.1f} +- {spread[2]:.1f}, {lens.center_v:.1f} +- {spread[3]:.1f} px; residual {fit.rms_px:.2f} "
        f"px over {len(fit.used)} views, {fit.coverage:.0%} of the picture",
    )
    record = LensRecord(
        taken=now(),
        serial=serial,
        width_px=size[0],
        height_px=size[1],
        focal_px=(lens.focal_u, lens.focal_v),
        center_px=(lens.center_u, lens.center_v),
        distortion=lens.distortion,
        deviation_px=spread,
        rms_px=fit.rms_px,
        coverage=fit.coverage,
        views=len(fit.used),
        dropped={view.name: view.dropped for view in fit.views if view.dropped},
        board=board_numbers(chosen),
    )
    return keep(results, record, console)


def _sightings(folder: Path, chosen: Board, camera: CameraConfig, console: Console) -> dict[str, Sighting | None]:
    finder, names, seen = BoardFinder(chosen), view_names(folder), {}
    with stage_bar(console, "looking for the board", len(names)) as advance:
        for done, name in enumerate(names, 1):
            seen[name] = finder.find(read_picture(folder / name, camera))
            advance(done, name)
    return seen


def _lens_table(fit: LensFit) -> Table:
    shown = Table(title="Views")
    for column in ("picture", "corners", "stray", "residual, px", "turned", "verdict"):
        shown.add_column(column, overflow="fold")
    for view in fit.views:
        numbers = [f"{view.rms_px:.2f}", f"{view.tilt_deg:.0f}°"] if view.corners else ["", ""]
        verdict = f"[yellow]{escape(view.dropped)}[/]" if view.dropped else "[green]used[/]"
        shown.add_row(escape(view.name), str(view.corners), str(view.stray), *numbers, verdict)
    return shown


def handeye(folder: Path, serial: str, chosen: Board, config: Config, results: Results, console: Console) -> int:
    """Where the camera is, from pictures and joint positions in `folder`."""
    known, size = known_lens(serial, config, results), (config.camera.width_px, config.camera.height_px)
    arm = arm_of(folder, config, console)
    seen = _sightings(folder, chosen, config.camera, console)
    blank = {name: "the board was not found" for name, found in seen.items() if found is None}
    views = [
        HandView(name, arm.hand(read_joints(folder / name)), found) for name, found in seen.items() if found is not None
    ]
    fit = solve_hand_eye(views, known.lens())
    console.print(_hand_eye_table(fit), highlight=False)
    for name in fit.failed:
        say(console, f"{name} finds no place from these views")
    dropped = {**blank, **fit.dropped}
    for name, why in dropped.items():
        say(console, f"{name} left out: {why}")
    place = ", ".join(f"{value:.4f}" for value in fit.best.base_from_camera[:3, 3])
    say(console, f"camera at ({place}) m in base, corners {fit.corner_rms_px:.2f} px off")
    record = HandEyeRecord(
        taken=now(),
        serial=serial,
        width_px=size[0],
        height_px=size[1],
        base_from_camera=Motion.of(fit.best.base_from_camera),
        hand_from_board=Motion.of(fit.best.hand_from_board),
        solvers={
            one.solver: SolverResidual(mm=1e3 * one.distance_m, degrees=float(np.degrees(one.angle_rad)))
            for one in fit.solutions
        },
        corner_rms_px=fit.corner_rms_px,
        views=len(fit.best.residuals),
        dropped=dropped,
    )
    return keep(results, record, console)


def known_lens(serial: str, config: Config, results: Results) -> LensRecord:
    """The lens of the camera `serial`. Raises UserError where it is not known, or for pictures of another size."""
    known = results.newest(serial, LensRecord)
    if known is None:
        raise UserError(
            f"the lens of camera {serial} is not known in {results.folder}",
            choices=results.serials(),
            next_step="`rig calibrate intrinsics` first, or another --serial",
        )
    refuse_other_size(known, (config.camera.width_px, config.camera.height_px))
    return known


def arm_of(folder: Path, config: Config, console: Console) -> Kinematics:
    """The arm whose views are in `folder`, by its own table where that was kept with them."""
    urdf = description(folder)
    if not urdf:
        say(
            console, "no description of the arm beside the views: the published table is used, which is millimetres off"
        )
        return Kinematics(config.control.tool_offset_m)
    try:
        table = read_arm_table(urdf)
    except UserError as error:
        raise UserError(
            f"{folder / DESCRIPTION} is not what the arm has told: {error.problem}", next_step="take the views anew"
        ) from error
    return Kinematics(config.control.tool_offset_m, table.origins, table.hand)


def _hand_eye_table(fit: HandEyeFit) -> Table:
    shown = Table(title=f"Solvers, {len(fit.best.residuals)} views")
    for column in ("solver", "residual, mm", "residual, degrees", "worst view"):
        shown.add_column(column, overflow="fold")
    for one in fit.solutions:
        worst = max(one.residuals, key=lambda residual: residual.distance_m)
        angle = np.degrees(one.angle_rad)
        far = f"{worst.name}, {1e3 * worst.distance_m:.1f} mm"
        shown.add_row(one.solver, f"{1e3 * one.distance_m:.2f}", f"{angle:.3f}", escape(far))
    return shown


def crop(
    picture: Path,
    serial: str,
    place: tuple[int | None, int | None, int | None],
    config: Config,
    results: Results,
    console: Console,
) -> int:
    """Keep the window (factor, left, top) of `place` and `picture` as the reference of the camera."""
    rgb = read_picture(picture, config.camera)
    if not can_be_compared(rgb):
        raise UserError(
            f"{picture} shows too little, or the same over and over, for a later picture to be compared with it, and "
            "no camera would start",
            next_step="take it in light, of the table with what always stands there",
        )
    size = (config.camera.width_px, config.camera.height_px)
    chosen = window(size, *place)
    for factor in exact_factors(size):
        mark = " <- this one" if factor == chosen.factor else ""
        say(
            console,
            f"--factor {factor}: {84 * factor} px, each of the policy's pixels {factor}x{factor} raw ones{mark}",
        )
    taken = now()
    name, digest = results.keep_reference(serial, taken, rgb)
    camera = chosen.camera(config.camera)
    record = EyeRecord(
        taken=taken,
        serial=serial,
        width_px=size[0],
        height_px=size[1],
        crop_px=chosen.side,
        crop_left_px=chosen.left,
        crop_top_px=chosen.top,
        reference=name,
        sha256=digest,
    )
    kept = keep(results, record, console)
    preview = results.folder / serial / name.replace(".png", "-window.png")
    _draw(
        preview, draw_window(rgb, chosen.left, chosen.top, chosen.side, preprocess(RawFrame(0, 0.0, rgb), camera).rgb)
    )
    say(console, f"{preview}: look whether the whole workspace is in it")
    return kept


def workspace(picture: Path, serial: str, config: Config, results: Results, out: Path, console: Console) -> int:
    """Draw the guard's box over `picture`; returns 1 when a part of it is outside the policy's window."""
    lens, camera = results.newest(serial, LensRecord), results.newest(serial, HandEyeRecord)
    if lens is None or camera is None:
        missing = "intrinsics" if lens is None else "handeye"
        raise UserError(
            f"the camera {serial} has no {missing} in {results.folder}",
            choices=results.serials(),
            next_step=f"`rig calibrate {missing}` first, or another --serial",
        )
    for record in (lens, camera):
        refuse_other_size(record, (config.camera.width_px, config.camera.height_px))
    refuse_outdated(results, camera)
    rgb = read_picture(picture, config.camera)
    seen = see_box(rgb, config, lens.lens(), camera.base_from_camera.matrix())
    _draw(out, seen.picture)
    low, high = config.guard.box_low_m, config.guard.box_high_m
    say(console, f"{out}: the box from {low} to {high} m, its floor green")
    say(console, f"{seen.in_picture:.0%} of it is in the picture, {seen.in_window:.0%} in the policy's window")
    if seen.in_window >= MOST_IN_WINDOW:
        return 0
    if seen.window is not None:
        least = seen.window
        words = f"--factor {least.factor:g} --left {least.left} --top {least.top}"
        say(console, f"the least window that shows all of it: rig calibrate crop {words}")
    else:
        say(console, "no window shows all of it: move the camera back, or make the box smaller")
    return 1


def check(picture: Path, serial: str, config: Config, results: Results, console: Console) -> int:
    """Hold `picture` against the calibration, as a real arm's camera node does at its start."""
    rgb = read_picture(picture, config.camera)
    checked = check_camera(results, serial, rgb, config.camera)
    shift = checked.shift
    say(
        console,
        f"camera {checked.eye.serial}, calibrated {checked.eye.taken}: shifted by {shift.pixels:.1f} px since, by "
        f"{shift.agreeing} of {shift.followed} corners",
    )
    say(console, f"light: {checked.light.told(rgb)}")
    others: Mapping[str, Record | None] = {"intrinsics": checked.lens, "handeye": checked.hand_eye}
    for name, record in others.items():
        say(console, f"{name}: {'none' if record is None else record.taken}")
    if checked.hand_eye is not None and (why := outdated(results, checked.hand_eye)):
        say(console, why)
    return 0


def keep(results: Results, record: Record, console: Console) -> int:
    """Write `record` and say where, and which settings follow from it."""
    path = results.keep(record)
    say(console, f"{path}")
    if settings := record.settings():
        say(console, "as settings: " + ", ".join(f"{key}={value}" for key, value in settings.items()))
    return 0


def say(console: Console, text: str) -> None:
    """A line of plain text."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def _draw(path: Path, rgb: Bytes) -> None:
    with appearing(path) as fresh:
        save_picture(fresh, rgb)
