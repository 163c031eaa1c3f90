"""The figures of a report as inline SVG that takes its colours from the page, light or dark. Called by `report`.

Figures are drawn with place-holder colours that become CSS variables (`--ink`, `--rule`, `--after`, ...), so that one
drawing serves both themes; colours are those of Okabe and Ito, and line styles tell the lines apart without colour.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context, ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robot_rig.datatypes import Floats
from robot_rig.evaluation import Evaluation
from robot_rig.report_data import CurvePoint, EncoderStretch, Series

COLOURS = {
    "ink": "#010101",
    "rule": "#010102",
    "page": "#010103",
    "after practice": "#010104",
    "0 practice steps": "#010105",
    "random policy": "#010106",
    "do nothing": "#010107",
}
LINES = {"after practice": "-", "0 practice steps": (0, (5, 1.5)), "random policy": (0, (1, 1.2)), "do nothing": "-."}

STYLE: Any = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 10,
    "axes.edgecolor": COLOURS["rule"],
    "axes.labelcolor": COLOURS["ink"],
    "axes.titlesize": 10,
    "axes.titlecolor": COLOURS["ink"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": COLOURS["rule"],
    "grid.linewidth": 0.6,
    "grid.alpha": 0.6,
    "xtick.color": COLOURS["rule"],
    "ytick.color": COLOURS["rule"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "text.color": COLOURS["ink"],
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
}

LONGEST_CURVE = 300
"""Points of a training curve that are drawn; longer ones are averaged in blocks."""


def variable(name: str) -> str:
    """The CSS variable that stands for a colour of `COLOURS`."""
    return "--" + re.sub(r"\W+", "-", name)


def _svg(figure: Figure, salt: str) -> str:
    """The figure as an <svg> element without prologue, addresses or size, its colours replaced by CSS variables."""
    file = io.StringIO()
    with rc_context({"svg.hashsalt": salt}):
        figure.savefig(file, format="svg", transparent=True, bbox_inches="tight", pad_inches=0.05)
    text = file.getvalue()
    root, rest = text[text.index("<svg") :].split(">", 1)
    root = re.sub(r' (width|height|version|xmlns(:\w+)?)="[^"]*"', "", root)
    text = root + ">" + re.sub(r"<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
    for name, colour in COLOURS.items():
        text = text.replace(colour, f"var({variable(name)})")
    return text


def _axes(width: float = 4.4, height: float = 2.9) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    return figure, axes


def _success_line(draw: Any, success_m: float) -> None:
    draw(success_m * 100, color=COLOURS["ink"], linewidth=0.8, alpha=0.7, label=f"success: {success_m * 100:g} cm")


@rc_context(STYLE)
def learning_curve(points: Sequence[CurvePoint], do_nothing_m: float | None, success_m: float) -> str:
    """Median and p90 of each evaluation over environment steps."""
    figure, axes = _axes()
    ordered = sorted(points, key=lambda point: point.env_steps)
    steps = [point.env_steps for point in ordered]
    colour = COLOURS["after practice"]
    p90 = [point.p90_m * 100 for point in ordered]
    median = [point.median_m * 100 for point in ordered]
    axes.fill_between(steps, median, p90, color=colour, alpha=0.15, linewidth=0)
    axes.plot(steps, p90, color=colour, linestyle="--", marker="s", markersize=4, label="p90")
    axes.plot(steps, median, color=colour, marker="o", markersize=5, label="median")
    if do_nothing_m is not None:
        style = LINES["do nothing"]
        axes.axhline(do_nothing_m * 100, color=COLOURS["do nothing"], linestyle=style, label="do nothing, median")
    _success_line(axes.axhline, success_m)
    axes.set(xlabel="environment steps, random play included", ylabel="final distance (cm)", ylim=(0, None))
    axes.set_xlim(0, steps[-1] * 1.04)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=True))
    axes.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.01))
    return _svg(figure, "learning_curve")


@rc_context(STYLE)
def across_refreshes(stretches: Sequence[EncoderStretch], success_m: float) -> str:
    """Success and median distance over practice, a line for each encoder; it breaks where the encoder was tuned."""
    figure = Figure(figsize=(8.8, 3.4), layout="constrained")
    reached, distance = figure.subplots(2, sharex=True)
    for number, stretch in enumerate(stretches):
        steps = [after for after, _ in stretch.points]
        line: Any = {"color": COLOURS["after practice"], "linestyle": ("-", (0, (5, 1.5)))[number % 2], "marker": "o"}
        reached.plot(steps, [100 * one.successes / one.n for _, one in stretch.points], markersize=4, **line)
        distance.plot(steps, [100 * one.median_m for _, one in stretch.points], markersize=4, **line)
        if number:
            for axes in (reached, distance):
                axes.axvline(steps[0], color=COLOURS["0 practice steps"], linewidth=0.8)
            reached.annotate(f"encoder {number + 1}", (steps[0], 0), (3, 4), textcoords="offset points", fontsize=9)
    reached.set(ylabel=f"in {success_m * 100:g} cm (%)", ylim=(0, 104))
    distance.set(ylabel="median (cm)", xlabel="practice steps", ylim=(0, None))
    return _svg(figure, "across_refreshes")


def cumulative(evaluations: Mapping[str, Evaluation], success_m: float) -> str:
    """Share of goals that ended within each distance, one step line for each evaluation."""
    return ended_within({name: one.final_m * 100 for name, one in evaluations.items()}, "cm", success_m)


@rc_context(STYLE)
def ended_within(finals: Mapping[str, Floats], unit: str, success_m: float | None) -> str:
    """The same of final distances (N,) in `unit`, by names of `COLOURS`; without a radius where there is no success."""
    figure, axes = _axes()
    for name, distances in finals.items():
        axes.ecdf(distances, color=COLOURS[name], linestyle=LINES[name], label=name)
    if success_m is not None:
        _success_line(axes.axvline, success_m)
    axes.yaxis.set_major_formatter(ticker.PercentFormatter(1, symbol=" %"))
    axes.set(xlabel=f"final distance ({unit})", ylabel="goals that ended closer", xlim=(0, None), ylim=(0, 1.02))
    axes.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.01))
    return _svg(figure, "cumulative")


@rc_context(STYLE)
def goal_by_goal(first: tuple[str, Floats], others: Sequence[tuple[str, Floats]], unit: str) -> str:
    """A dot for each goal: final distance (N,) in `unit` of `first` across, of each other up, a panel for each."""
    figure = Figure(figsize=(4.4 * len(others), 4.2), layout="constrained")
    furthest = 1.04 * max(float(distances.max()) for _, distances in (first, *others)) or 1.0
    for axes, (name, distances) in zip(figure.subplots(1, len(others), squeeze=False)[0], others, strict=True):
        axes.plot([0, furthest], [0, furthest], color=COLOURS["ink"], linewidth=0.8, alpha=0.7)
        axes.scatter(first[1], distances, s=26, color=COLOURS["after practice"], edgecolors=COLOURS["page"], zorder=3)
        axes.set(xlabel=f"{first[0]}, final distance ({unit})", ylabel=f"{name}, final distance ({unit})")
        axes.set(xlim=(0, furthest), ylim=(0, furthest), aspect="equal")
    return _svg(figure, "goal_by_goal")


@rc_context(STYLE)
def histogram(evaluations: Mapping[str, Evaluation], success_m: float) -> str:
    """Counts of final distances in bins of 1 cm, one panel for each evaluation, under one scale."""
    figure = Figure(figsize=(4.4, 1.0 + 0.95 * len(evaluations)), layout="constrained")
    panels = figure.subplots(len(evaluations), sharex=True, sharey=True, squeeze=False)[:, 0]
    furthest = max(float(evaluation.final_m.max()) for evaluation in evaluations.values()) * 100
    edges = np.arange(math.floor(furthest) + 2) if furthest < 60 else np.linspace(0, furthest, 60)
    for axes, (name, evaluation) in zip(panels, evaluations.items(), strict=True):
        axes.hist(evaluation.final_m * 100, edges, color=COLOURS[name], edgecolor=COLOURS["page"], linewidth=0.8)
        axes.axvline(success_m * 100, color=COLOURS["ink"], linewidth=0.8, alpha=0.7)
        axes.set_title(name, loc="right", y=0.72)
        axes.yaxis.set_major_locator(ticker.MaxNLocator(3, integer=True))
    panels[-1].set(xlabel="final distance (cm)", xlim=(0, None))
    panels[-1].xaxis.set_major_locator(ticker.MaxNLocator(8, integer=True))
    figure.supylabel("goals", fontsize=10)
    return _svg(figure, "histogram")


@rc_context(STYLE)
def over_time(evaluations: Mapping[str, Evaluation], rate_hz: float, success_m: float) -> str:
    """Distance over the rollout: the median of each evaluation, and the middle 80 % of the first."""
    figure, axes = _axes()
    for rank, (name, evaluation) in enumerate(evaluations.items()):
        distance = evaluation.distance_m * 100
        seconds = np.arange(distance.shape[1]) / rate_hz
        if rank == 0:
            low, high = np.percentile(distance, [10, 90], axis=0)
            label = f"{name}, middle 80 %"
            axes.fill_between(seconds, low, high, color=COLOURS[name], alpha=0.2, linewidth=0, label=label)
        axes.plot(seconds, np.median(distance, 0), color=COLOURS[name], linestyle=LINES[name], label=name)
    _success_line(axes.axhline, success_m)
    axes.set(xlabel="time (s)", ylabel="distance to goal (cm)", xlim=(0, seconds[-1]), ylim=(0, None))
    axes.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.01))
    return _svg(figure, "over_time")


@rc_context(STYLE)
def goal_map(evaluation: Evaluation, low_xy_m: Floats, high_xy_m: Floats, success_m: float) -> str:
    """The box from above: a mark at each goal, coloured by final error, and a line to where the tool ended."""
    goals = np.stack([rollout.goal_xy_m for rollout in evaluation.rollouts]) * 100
    tools = np.stack([rollout.tool_xy_m for rollout in evaluation.rollouts]) * 100
    final = evaluation.final_m * 100
    figure, axes = _axes(4.7, 3.1)
    axes.plot(
        np.stack([goals[:, 1], tools[:, 1]]),
        np.stack([goals[:, 0], tools[:, 0]]),
        color=COLOURS["ink"],
        linewidth=0.9,
        alpha=0.6,
        zorder=2,
    )
    for within, marker, label in ((True, "o", "success"), (False, "s", "failure")):
        some = (final <= success_m * 100) == within
        if some.any():
            dots = axes.scatter(
                goals[some, 1],
                goals[some, 0],
                c=final[some],
                vmin=0,
                vmax=success_m * 200,
                cmap="cividis",
                marker=marker,
                s=42,
                edgecolors=COLOURS["ink"],
                linewidths=0.8,
                zorder=3,
                label=label,
            )
    (x0, y0), (x1, y1) = np.asarray(low_xy_m) * 100, np.asarray(high_xy_m) * 100
    corners = ([y0, y1, y1, y0, y0], [x0, x0, x1, x1, x0])
    axes.plot(*corners, color=COLOURS["ink"], linewidth=1, zorder=1)
    axes.set(xlabel="y of the base (cm); the arm's left is left", ylabel="x, away from the base (cm)")
    axes.set_aspect("equal")
    axes.invert_xaxis()
    axes.legend(ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.01), labelcolor=COLOURS["ink"])
    bar = figure.colorbar(dots, ax=axes, shrink=0.7, extend="max", pad=0.02)
    bar.set_label("final distance (cm)")
    bar.outline.set_visible(False)
    return _svg(figure, "goal_map")


@rc_context(STYLE)
def training_curve(series: Series, number: int) -> str:
    """One training metric over its own steps; curves of more than 300 points as means of blocks."""
    figure, axes = _axes(3.6, 2.1)
    steps, values = _blocks(np.asarray(series.points, dtype=np.float64).reshape(-1, 2))
    marker = "o" if len(steps) < 12 else ""
    axes.plot(steps, values, color=COLOURS["after practice"], linewidth=1.3, marker=marker, markersize=4)
    axes.set(xlabel=series.steps_of, ylabel=series.unit, title=series.name)
    axes.xaxis.set_major_locator(ticker.MaxNLocator(4, integer=True))
    axes.yaxis.set_major_locator(ticker.MaxNLocator(4))
    return _svg(figure, f"training_{number}")


def _blocks(points: Floats) -> tuple[Floats, Floats]:
    size = math.ceil(len(points) / LONGEST_CURVE) or 1
    whole = len(points) // size * size
    means = points[:whole].reshape(-1, size, 2).mean(axis=1)
    return means[:, 0], means[:, 1]
