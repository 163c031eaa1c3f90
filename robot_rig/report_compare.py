"""The page of a comparison: one sentence, one table, one figure, self-contained HTML. Called by `rig compare`."""

from __future__ import annotations

from markupsafe import Markup

from robot_rig.evaluation_attempts import RULERS, TOOL
from robot_rig.evaluation_compare import LEVEL, Unit, show_p
from robot_rig.evaluation_rivals import Comparison, Contest
from robot_rig.report_exam import MEASURED_AS, SPREAD_COLUMNS, SUCCESS_COLUMNS, page, spread_cells, success_cells
from robot_rig.report_plots import goal_by_goal

PAIR_COLUMNS = ("pair", "closer", "further", "equal", "median difference", "95 % interval", "Wilcoxon")
SUCCESS_PAIR_COLUMNS = ("both reached", "only A", "only the other", "neither", "McNemar")


def render_comparison(found: Comparison) -> str:
    """The page as HTML text."""
    first, *others = found.rivals
    unit, known = RULERS[found.ruler], found.ruler == TOOL
    return page("report_compare.html.j2").render(
        title=f"Comparison of {len(found.rivals)} exams",
        paper=first.paper,
        first=first.letter,
        measured_as=MEASURED_AS[found.ruler],
        sentences=[contest.said for contest in found.contests],
        columns=("exam", *SPREAD_COLUMNS[1:], *(SUCCESS_COLUMNS if known else ())),
        rows=[
            [rival.label, *spread_cells(rival.score, found.ruler)]
            + (success_cells(rival.score.success, rival.score.n, rival.paper.rate_hz) if rival.score.success else [])
            for rival in found.rivals
        ],
        pair_columns=PAIR_COLUMNS + (SUCCESS_PAIR_COLUMNS if known else ()),
        pairs=[pair_cells(contest, unit) for contest in found.contests],
        plot=Markup(
            goal_by_goal(
                (first.letter, first.finals * unit.factor),
                [(other.letter, other.finals * unit.factor) for other in others],
                unit.name,
            )
        ),
        goal_columns=("goal", *(f"{rival.letter} ({unit.name})" for rival in found.rivals)),
        goals=[[id, *(unit.show(rival.finals[i]) for rival in found.rivals)] for i, id in enumerate(found.ids)],
        level=LEVEL,
        successes=known,
        notes=found.notes,
    )


def pair_cells(contest: Contest, unit: Unit) -> list[str]:
    """The cells of `PAIR_COLUMNS`, and of `SUCCESS_PAIR_COLUMNS` where there are successes."""
    paired = contest.paired
    bounds = (
        "too few goals"
        if paired.low is None or paired.high is None
        else f"{unit.show(paired.low)} to {unit.show(paired.high)}"
    )
    cells = [
        f"{contest.letter} against A",
        *(str(count) for count in (paired.closer, paired.further, paired.equal)),
        f"{unit.show(paired.median)} {unit.name}",
        bounds,
        show_p(contest.p),
    ]
    if contest.successes is None:
        return cells
    both = contest.successes
    return [*cells, *(str(n) for n in (both.both, both.only_a, both.only_b, both.neither)), show_p(both.p)]
