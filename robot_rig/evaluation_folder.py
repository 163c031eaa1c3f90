"""A checkpoint's exam on disk: a folder that holds what was asked before any answer. Called by `stages.appraise`.

    OUT/config.yaml             the settings that it was asked under
    OUT/questions.npz           the goals: ids, pictures, places where they are known
    OUT/paper.json              of what and under which conditions; written after these two, so it marks an exam
    OUT/POLICY/000017.npz       an attempt, written when it is over: a kill costs one
    OUT/POLICY/000017.json      beside it, of an exam over the live graph: time, misses, a person's verdict
    OUT/results.json            what it came to; written last, so it marks a finished exam
    OUT/report.html

No pickle, and nothing is written twice: an exam with other questions or conditions needs another folder.
"""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_rig.array_files import look_through, unpack
from robot_rig.datatypes import Bytes
from robot_rig.disk import unwritable, write_atomically
from robot_rig.errors import UserError, plain, quoted
from robot_rig.evaluation_arrays import FRAMES, OUTCOMES, questions_in, require_attempt, require_questions
from robot_rig.evaluation_attempts import Attempt, Question, digest
from robot_rig.evaluation_live import Sighting, read_sighting, write_sighting
from robot_rig.stranger_files import INDEX_LIMIT, open_regular, parse_object, read_regular

FORMAT = 1
PAPER, QUESTIONS, RESULTS, CONFIG, REPORT = "paper.json", "questions.npz", "results.json", "config.yaml", "report.html"
CHECKPOINT, DO_NOTHING, RANDOM = "checkpoint", "do-nothing", "random-policy"
"""Folders of the attempts, and names of who made them."""

POLICIES = (CHECKPOINT, DO_NOTHING, RANDOM)
IN_PROCESS, LIVE, ROBOT = "in process", "live, with a ruler", "live, without a ruler"
"""Where an exam is held: beside the simulator; over the live graph, where somebody tells the tool's true place; over
that of a robot, where nobody can."""

_KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "Mapping[str, str]": (dict,),
}
MOST_TOLD = 400
_AGAIN = "examine again with `rig eval --checkpoint`"


@dataclass(frozen=True)
class Paper:
    """What is examined, and how. Two exams with the same paper are one.

    `checkpoint`: run and name of its folder; `manifest`: SHA-256 of its manifest, which stands for every byte of it;
    `goals`: "seed 12345" or "pictures"; `questions`: their digest; `arm_seed`: of the simulated arm; `steps` of each
    attempt at `rate_hz`; `success_m` m; `versions` of everything that ran; `held`: where, one of `IN_PROCESS`, `LIVE`
    and `ROBOT` (papers from before there was a choice do not say).
    """

    checkpoint: str
    manifest: str
    encoder: str
    trained_under: str
    config: str
    goals: str
    n: int
    questions: str
    arm_seed: int
    steps: int
    rate_hz: float
    success_m: float
    versions: Mapping[str, str]
    held: str = IN_PROCESS
    format: int = FORMAT

    def differences(self, other: Paper) -> list[str]:
        """What `other` has otherwise, as "steps 50 -> 25", each version by itself."""
        ours, theirs = self._flat(), other._flat()
        keys = dict.fromkeys((*ours, *theirs))
        return [f"{key} {ours.get(key)} -> {theirs.get(key)}" for key in keys if ours.get(key) != theirs.get(key)]

    def _flat(self) -> dict[str, Any]:
        values = dataclasses.asdict(self)
        return values | {f"version of {name}": version for name, version in values.pop("versions").items()}


class ExamFolder:
    """The exam in `path`: its `paper` and its `questions`. Made by `begin` (to work in it) or `open` (to read it)."""

    def __init__(self, path: Path, paper: Paper, questions: Sequence[Question]) -> None:
        self.path, self.paper, self.questions = path, paper, tuple(questions)

    @classmethod
    def begin(cls, path: Path, paper: Paper, questions: Sequence[Question], config_text: str) -> ExamFolder:
        """The exam of `paper` in `path`: a new one where the folder is absent or empty, or the one begun there.

        Raises UserError, naming the difference, for another exam, for a folder of something else, for a full disk.
        """
        if (path / PAPER).exists():
            found = cls.open(path)
            if different := found.paper.differences(paper):
                raise UserError(
                    f"{path} holds another exam: {plain(', '.join(different), MOST_TOLD)}",
                    next_step="choose another folder with --out",
                )
            return found
        _refuse_foreign(path, config_text)
        made = cls(path, paper, questions)
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error
        write_atomically(path / CONFIG, config_text.encode())
        places = [question.xy_m for question in questions if question.xy_m is not None]
        _write(
            path / QUESTIONS,
            {
                "id": np.array([question.id for question in questions]),
                "image": np.stack([question.image for question in questions]),
                "xy_m": np.stack(places) if places else np.empty((0, 2)),
            },
        )
        write_atomically(path / PAPER, json.dumps(dataclasses.asdict(paper), indent=1).encode())
        return made

    @classmethod
    def open(cls, path: Path) -> ExamFolder:
        """The exam in `path`. Raises UserError when there is none, or it is damaged or of another version."""
        if not (path / PAPER).exists():
            raise UserError(f"there is no exam of a checkpoint in {path}", next_step=_AGAIN)
        try:
            said = parse_object(read_regular(path / PAPER, "exam paper", INDEX_LIMIT))
            if said.get("format") != FORMAT:
                raise UserError(
                    f"{path} has an exam of format {quoted(said.get('format'))}, not {FORMAT}", next_step=_AGAIN
                )
            paper = _paper(said)
            with open_regular(path / QUESTIONS, "exam's questions") as file:
                questions = questions_in(
                    unpack(file, look_through(file, lambda headers: require_questions(headers, paper.n)))
                )
            if digest(questions) != paper.questions or len(questions) != paper.n:
                raise ValueError("its questions are not those of its paper")
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"the exam in {path} is damaged: {error}", next_step=_AGAIN) from error
        return cls(path, paper, questions)

    @property
    def policies(self) -> tuple[str, ...]:
        """Who takes the exam: the live graph has one policy in it, and the baselines are told by the simulator only."""
        return POLICIES if self.paper.held == IN_PROCESS else (CHECKPOINT,)

    @property
    def finished(self) -> bool:
        """Whether every question has been answered and the results are told."""
        return (self.path / RESULTS).exists()

    def save(self, policy: str, number: int, frames: Bytes, attempt: Attempt, sighting: Sighting | None = None) -> None:
        """Keep the attempt of `policy` at question `number` with its `frames` uint8 (T+1, 84, 84, 3), and what was seen
        of it over the live graph.

        Raises UserError when the disk refuses.
        """
        path = self._place(policy, number)
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error
        if sighting is not None:
            write_sighting(path.with_suffix(".json"), sighting)
        _write(path, {FRAMES: frames, OUTCOMES: attempt.outcomes, **attempt.distances})

    def has(self, policy: str, number: int) -> bool:
        """Whether that attempt was kept; it may be damaged all the same."""
        return self._place(policy, number).exists()

    def load(self, policy: str, number: int) -> Attempt:
        """The attempt of `policy` at question `number`. Raises UserError when there is none or it is damaged, or what
        was seen of it live is: then it has to be made again.
        """
        arrays = self._read_attempt(policy, number, lambda name: name != FRAMES)
        path = self._place(policy, number)
        try:
            attempt = Attempt(arrays.pop(OUTCOMES), arrays)
            if len(attempt.outcomes) != self.paper.steps:
                raise ValueError(f"it has {len(attempt.outcomes)} steps and not {self.paper.steps}")
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"the attempt {path} is damaged: {error}", next_step=_AGAIN) from error
        if self.paper.held != IN_PROCESS:
            read_sighting(path.with_suffix(".json"))
        return attempt

    def attempts(self, policy: str) -> list[Attempt]:
        """Every attempt of `policy`, question by question. Raises UserError when one is missing or damaged."""
        return [self.load(policy, number) for number in range(len(self.questions))]

    def sightings(self) -> list[Sighting]:
        """What was seen of every attempt of the checkpoint, none for an exam in process; raises as `attempts`."""
        if self.paper.held == IN_PROCESS:
            return []
        places = [self._place(CHECKPOINT, number) for number in range(len(self.questions))]
        return [read_sighting(place.with_suffix(".json")) for place in places]

    def frames(self, policy: str, number: int) -> Bytes:
        """The pictures of that attempt, uint8 (T+1, 84, 84, 3); apart, because many exams' would fill the memory."""
        return self._read_attempt(policy, number, lambda name: name == FRAMES)[FRAMES]

    def _read_attempt(self, policy: str, number: int, wanted: Callable[[str], bool]) -> dict[str, NDArray[Any]]:
        """The arrays whose name is `wanted`; all of them are looked through first."""
        path = self._place(policy, number)
        with open_regular(path, "attempt") as file:
            try:
                headers = look_through(file, lambda found: require_attempt(found, self.paper.steps))
                return unpack(file, {name: header for name, header in headers.items() if wanted(name)})
            except ValueError as error:
                raise UserError(f"the attempt {path} is damaged: {error}", next_step=_AGAIN) from error

    def finish(self, results: Mapping[str, Any]) -> None:
        """Write `results`, which mark the exam as finished."""
        write_atomically(self.path / RESULTS, json.dumps(results, indent=1).encode())

    def results(self) -> dict[str, Any]:
        """What `finish` wrote. Raises UserError when the exam is not finished, or they are damaged."""
        if not self.finished:
            raise UserError(f"the exam in {self.path} is not finished", next_step="give its `rig eval` once more")
        try:
            return parse_object(read_regular(self.path / RESULTS, "results", INDEX_LIMIT))
        except ValueError as error:
            raise UserError(f"the results in {self.path} are damaged: {error}", next_step=_AGAIN) from error

    def _place(self, policy: str, number: int) -> Path:
        return self.path / policy / f"{number:06d}.npz"


def _refuse_foreign(path: Path, config_text: str) -> None:
    """Raise UserError unless `path` is absent, empty, or what a begin under `config_text` leaves that was cut short."""
    try:
        begun = (path / CONFIG).is_file() and (path / CONFIG).read_bytes() == config_text.encode()
        ours = (CONFIG, QUESTIONS) if begun else ()
        names = sorted(entry.name for entry in path.iterdir())
        foreign = [name for name in names if name not in ours and not name.startswith(".")]
    except FileNotFoundError:
        return
    except OSError as error:
        raise unwritable(path, error) from error
    if foreign:
        raise UserError(
            f"{path} is not empty and holds no exam (it holds {', '.join(foreign[:3])})",
            next_step="choose another folder with --out",
        )


def _paper(said: Mapping[str, Any]) -> Paper:
    said = {"held": IN_PROCESS, **said}
    kinds = {field.name: _KINDS[str(field.type)] for field in dataclasses.fields(Paper)}
    wrong = sorted(kinds.keys() ^ said.keys()) or [name for name in kinds if type(said[name]) not in kinds[name]]
    if wrong:
        raise ValueError(f"its paper is none: see {plain(', '.join(wrong))}")
    return Paper(**said)


def _write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
    write_atomically(path, packed.getvalue())
