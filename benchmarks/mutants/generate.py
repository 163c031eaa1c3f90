"""The mutants of a module: cosmic-ray's operators and four of our own. Called by `python -m benchmarks.mutants`.

Left out are mutants that mean the same as the original by construction (annotations, the numba decorator while the
guard runs as Python), those that no Python can compile, and replacements that any call would refuse with a TypeError
(bit operators on floats, `~` and `is` on numbers): they would only flatter the score.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names
from parso.python.tree import ExprStmt, Name, Number

ARITHMETIC = "Add|Sub|Mul|Div|FloorDiv|Mod|Pow"
BITS = "RShift|LShift|BitOr|BitAnd|BitXor"
LEFT_OUT = re.compile(
    rf".*BinaryOperator_(({ARITHMETIC})_({BITS})|({BITS})_({ARITHMETIC}|RShift|LShift|BitXor))"
    r"|.*ComparisonOperator_([A-Z]\w+_Is(Not)?(?<!Is_IsNot)(?<!IsNot_Is)|Is(Not)?_(Eq|NotEq|Lt|LtE|Gt|GtE))"
    r"|.*UnaryOperator_USub_\w+"
)
OPPOSITES = {
    "min": "max",
    "minimum": "maximum",
    "argmin": "argmax",
    "any": "all",
    "ceil": "floor",
    "inf": "nan",
    "lower": "upper",
    "low": "high",
    "box_low": "box_high",
    "LOWER_LIMITS": "UPPER_LIMITS",
}
OPPOSITES |= {other: one for one, other in OPPOSITES.items() if one != "inf"}
IN_PLACE = {"+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "|=": "&=", "&=": "|="}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed place: `was` and `now` are its lines, `line` the first of them in the file, `code` the whole module.

    `place` is the function, dotted from the module's own name; with `was` and `now` it names the mutant across edits
    of other lines. `importing` says that the change is not inside a function, so that importing the module runs it.
    """

    module: str
    place: str
    was: str
    now: str
    line: int
    code: str
    importing: bool

    @property
    def name(self) -> tuple[str, str, str]:
        """What an explanation names it by."""
        return self.place, self.was, self.now


class Opposite(Operator):
    """min for max, any for all, lower for upper, wherever such a name is used and not defined."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """One for each such name."""
        if isinstance(node, Name) and node.value in OPPOSITES and not node.is_definition():
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """The other name."""
        node.value = OPPOSITES[node.value]
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        """None: the tests hold them."""
        return ()


class InPlace(Opposite):
    """+= for -=, |= for &=."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """One for each augmented assignment."""
        if getattr(node, "value", None) in IN_PLACE:
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """The other operator."""
        node.value = IN_PLACE[node.value]
        return node


class Scale(Opposite):
    """Half and twice a number with a decimal point: one more or less is no small error of 0.05 rad."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Two for each number that is not whole."""
        if isinstance(node, Number) and isinstance(value := ast.literal_eval(node.value), float) and value != 0.0:
            yield node.start_pos, node.end_pos
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """Half first, twice second."""
        node.value = repr(ast.literal_eval(node.value) * (0.5, 2.0)[index])
        return node


class Forget(Opposite):
    """A statement inside a function that is not carried out: a call, an assignment to something kept, a raise."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """One for each such statement."""
        parent = node.parent
        if parent is None or parent.type != "simple_stmt" or node is not parent.children[0]:
            return
        kept = isinstance(node, ExprStmt) and ("." in node.get_code() or "[" in node.get_code())
        if kept or node.type in ("atom_expr", "raise_stmt"):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """`pass` in its place."""
        return get_ast(f"{node.get_first_leaf().prefix}pass").children[0]


@cache
def operators() -> dict[str, Operator]:
    """Every operator by name, but those that `LEFT_OUT` names or that want arguments."""
    found = {name: get_operator(name) for name in operator_names() if not LEFT_OUT.fullmatch(name)}
    ready = {name: kind() for name, kind in found.items() if not kind.arguments()}
    return ready | {kind.__name__: kind() for kind in (Opposite, InPlace, Scale, Forget)}


class _Meaning(ast.NodeTransformer):
    """Takes out what does not count: annotations, and the decorator that is the identity while the guard is Python."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        node.decorator_list = [d for d in node.decorator_list if not ast.unparse(d).startswith("compiled(")]
        return self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)


def meaning(code: str) -> str:
    """`code` as Python sees it when nothing is compiled by numba; two texts of one meaning are one mutant."""
    return ast.dump(_Meaning().visit(ast.parse(code)))


def place_of(tree: ast.Module, line: int) -> str:
    """The innermost function or class around `line`, dotted; empty at the module's top level."""
    names: list[str] = []
    body = tree.body
    while True:
        inside = [n for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef) and _begin(n) <= line <= _end(n)]
        if not inside:
            return ".".join(names)
        names.append(inside[0].name)
        body = inside[0].body


def _begin(node: ast.FunctionDef | ast.ClassDef) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def _end(node: ast.AST) -> int:
    return int(getattr(node, "end_lineno", 0))


def is_inside(source: str, mutated: str, place: str) -> bool:
    """Whether the two texts differ in the body of the function `place` and nowhere else."""
    trees = [ast.parse(text) for text in (source, mutated)]
    for tree in trees:
        node: Any = tree
        for part in place.split("."):
            node = next((n for n in node.body if getattr(n, "name", "") == part), tree)
        if not isinstance(node, ast.FunctionDef):
            return False
        node.body = [ast.Pass()]
    return ast.dump(trees[0]) == ast.dump(trees[1])


def changed_lines(source: str, mutated: str) -> tuple[str, str, int]:
    """The lines taken away and those put in their place, without indentation, and the number of the first."""
    old, new = source.splitlines(), mutated.splitlines()
    blocks = [op for op in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if op[0] != "equal"]
    first, last = blocks[0], blocks[-1]
    was, now = old[first[1] : last[2]], new[first[3] : last[4]]
    return " ".join(" ".join(was).split()), " ".join(" ".join(now).split()), first[1] + 1


def mutants_of(path: Path, module: str) -> list[Mutant]:
    """All mutants of the file at `path`, which is imported as `module`, in the order of their lines."""
    source = path.read_text()
    lines, tree = source.splitlines(keepends=True), ast.parse(source)
    found = []
    begin = 0
    # Statement by statement: each mutant costs a parse of what it is made from.
    for statement in tree.body:
        part = "".join(lines[begin : _end(statement)])
        found += [(begin, part, mutated) for mutated in _mutated(part)]
        begin = _end(statement)
    name = module.rpartition(".")[2]
    met: Counter[tuple[str, str, str]] = Counter()
    mutants = []
    for begin, part, mutated in found:
        was, now, line = changed_lines(part, mutated)
        inner = place_of(tree, begin + line)
        place = f"{name}.{inner}" if inner else name
        met[place, was, now] += 1
        was += f"  # {met[place, was, now]}" if met[place, was, now] > 1 else ""
        before = "".join(lines[:begin])
        code = before + mutated + source[len(before) + len(part) :]
        mutants.append(Mutant(module, place, was, now, begin + line, code, not is_inside(part, mutated, inner)))
    return sorted(mutants, key=lambda mutant: mutant.line)


def _mutated(part: str) -> Iterator[str]:
    seen, nodes = {meaning(part)}, list(ast_nodes(get_ast(part)))
    for operator in operators().values():
        for occurrence in range(sum(1 for node in nodes for _ in operator.mutation_positions(node))):
            mutated = mutate_code(part, operator, occurrence)
            try:
                said = meaning(mutated)
            except SyntaxError:
                continue
            if said not in seen:
                seen.add(said)
                yield mutated
