"""Finished exams side by side: are they of the same goals, and which ended closer? Called by `rig compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_uppercase

from robot_rig.datatypes import Floats
from robot_rig.errors import UserError
from robot_rig.evaluation_attempts import PIXEL, RULERS, TOOL, Score, finals, score
from robot_rig.evaluation_compare import Discordant, Paired, discordance, holm, pair, sentence
from robot_rig.evaluation_folder import CHECKPOINT, ExamFolder, Paper

SAME = ("goals", "n", "questions", "arm_seed", "steps", "rate_hz", "success_m")
"""What two exams must have in common, or their goals are not the same."""


@dataclass(frozen=True, slots=True)
class Rival:
    """One finished exam under its letter: its paper, final distances (N,) by the common ruler, and score."""

    letter: str
    folder: Path
    paper: Paper
    finals: Floats
    score: Score

    @property
    def label(self) -> str:
        """Letter and checkpoint, for tables."""
        return f"{self.letter}: {self.paper.checkpoint}"


@dataclass(frozen=True, slots=True)
class Contest:
    """The exam `letter` against A, and a sentence on it. `p` is that of `paired`, raised where several are compared;
    `successes` is None where nobody knows where the goals are.
    """

    letter: str
    paired: Paired
    p: float
    successes: Discordant | None
    said: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Exams on the same goals, each but the first against the first; `notes` say what else is unlike."""

    ruler: str
    ids: tuple[str, ...]
    rivals: tuple[Rival, ...]
    contests: tuple[Contest, ...]
    notes: tuple[str, ...]


def compare(folders: Sequence[Path]) -> Comparison:
    """The comparison of the finished exams in `folders`, the first being what the others are held against.

    By the tool's true place where it is known, else by pixels: latent metrics of two encoders share no unit. Raises
    UserError for fewer than two, one that is named twice, an unfinished one, and exams of other goals.
    """
    if not 2 <= len(folders) <= len(ascii_uppercase):
        raise UserError(f"{len(folders)} exams cannot be compared", next_step="name the folders of two or more")
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError("an exam is named twice", next_step="name two that differ")
    exams = [ExamFolder.open(folder) for folder in folders]
    for exam in exams:
        exam.results()
    _require_same_goals(exams)
    attempts = [exam.attempts(CHECKPOINT) for exam in exams]
    ruler = TOOL if TOOL in attempts[0][0].distances else PIXEL
    rivals = tuple(
        Rival(letter, exam.path, exam.paper, finals(tries, ruler), score(tries, exam.paper.success_m))
        for letter, exam, tries in zip(ascii_uppercase, exams, attempts, strict=False)
    )
    ids = tuple(question.id for question in exams[0].questions)
    return Comparison(ruler, ids, rivals, _contests(rivals, ruler), tuple(_notes(rivals, ruler)))


def _contests(rivals: Sequence[Rival], ruler: str) -> tuple[Contest, ...]:
    first, *others = rivals
    paired = [pair(first.finals, other.finals) for other in others]
    adjusted = holm([one.p for one in paired])
    made = []
    for other, one, p in zip(others, paired, adjusted, strict=True):
        within = first.paper.success_m
        successes = discordance(first.finals <= within, other.finals <= within) if ruler == TOOL else None
        said = sentence(first.letter, other.letter, one, p, RULERS[ruler])
        made.append(Contest(other.letter, one, p, successes, said))
    return tuple(made)


def _require_same_goals(exams: Sequence[ExamFolder]) -> None:
    first = exams[0]
    for other in exams[1:]:
        unlike = [
            f"{name} {getattr(first.paper, name)} and {getattr(other.paper, name)}"
            for name in SAME
            if getattr(first.paper, name) != getattr(other.paper, name)
        ]
        if unlike:
            same_arm = first.paper.arm_seed == other.paper.arm_seed
            raise UserError(
                f"{first.path} and {other.path} are not exams on the same goals: {', '.join(unlike)}",
                next_step="examine both on the same goals" + ("" if same_arm else ", with the same --seed for the arm"),
            )


def _notes(rivals: Sequence[Rival], ruler: str) -> list[str]:
    notes = []
    if ruler == PIXEL:
        notes.append(
            "These goals are bare pictures: nobody knows where the tool was, so the exams are compared by how unlike "
            "the pictures are, in grey levels, and not in cm. Latent distances of two encoders share no unit."
        )
    first, *others = rivals
    for other in others:
        if first.paper.held != other.paper.held:
            notes.append(
                f"{first.letter} was examined {first.paper.held} and {other.letter} {other.paper.held}: what differs "
                "between them may be the conditions."
            )
        if first.paper.config != other.paper.config:
            notes.append(
                f"{first.letter} was examined under config {first.paper.config} and {other.letter} under "
                f"{other.paper.config}: what differs between them may be the conditions."
            )
        unlike = [one for one in first.paper.differences(other.paper) if one.startswith("version of ")]
        if unlike:
            notes.append(f"{first.letter} and {other.letter} ran on unlike software: {', '.join(unlike)}.")
    return notes
