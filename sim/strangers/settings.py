"""Configuration files from strangers: malformed, ambiguous, endless, and with limits beyond ceilings (rows 49, 50)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydantic import BaseModel

from robot_rig.config import Config
from sim.strangers.forgery import Forgery, Originals, flipped

AMBIGUOUS = {
    "duplicate key": "seed: 1\nseed: 2\n",
    "duplicate section": "vae:\n  beta: 1\nvae:\n  beta: 2\n",
    "unknown key": "vae:\n  betta: 1\n",
    "nan": "vae:\n  beta: .nan\n",
    "infinite": "vae:\n  beta: .inf\n",
    "overflow": "vae:\n  beta: 1e999\n",
    "octal": "seed: 012\n",
    "hexadecimal": "seed: 0x1F\n",
    "sixties": "seed: 1:30\n",
    "underscores": "seed: 1_000\n",
    "text for a number": "seed: '7'\n",
    "number for a count": "seed: 1.5\n",
    "yes": "seed: yes\n",
    "nothing": "seed:\n",
    "null": "seed: null\n",
    "list for a section": "vae: [1, 2]\n",
    "section for a number": "seed: {a: 1}\n",
    "python tag": "seed: !!python/object/apply:os.mkdir [code-was-run]\n",
    "tag": "seed: !!str 7\n",
    "alias": "seed: &a 1\nname: *a\n",
    "two documents": "seed: 1\n---\nseed: 2\n",
    "directive": "%YAML 1.2\n---\nseed: 1\n",
    "not utf-8": "seed: \udcff\n",
    "tabs": "vae:\n\tbeta: 1\n",
    "unclosed": "vae: {beta: 1\n",
    "no mapping": "just words\n",
    "empty": "",
    "number as long as a book": "seed: " + "9" * 100_000 + "\n",
}


def malformed(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 49: what safe_load would take for something else, or for an hour; a flipped bit may leave sound settings."""
    path, kind = folder / "settings.yaml", int(rng.integers(4))
    if kind == 0:
        path.write_bytes(flipped(rng, originals.settings.read_bytes()))
        return Forgery("flipped bit", "settings", str(path), "either")
    name, text = _endless(rng) if kind == 1 else _ambiguous(rng)
    path.write_bytes(text.encode(errors="surrogateescape"))
    return Forgery(name, "settings", str(path))


def hostile(rng: np.random.Generator) -> tuple[str, str]:
    """(name, text) of one of all these, for another reader of YAML."""
    return _endless(rng) if rng.random() < 0.3 else _ambiguous(rng)


def _ambiguous(rng: np.random.Generator) -> tuple[str, str]:
    name = str(rng.choice(sorted(AMBIGUOUS)))
    return name, AMBIGUOUS[name]


def _endless(rng: np.random.Generator) -> tuple[str, str]:
    """Files that are long, wide, deep, or refer to themselves, up to beyond what is read at all."""
    size = int(2 ** rng.uniform(10, 19))
    kinds = {
        "wide list": "seed: [" + "1," * (size // 2) + "1]\n",
        "many keys": "".join(f"k{n}: 1\n" for n in range(size // 8)),
        "many lines": "seed: 1\n" + "\n" * size + "x: 1\n",
        "many comments": "#\n" * (size // 2) + "x: 1\n",
        "many words": "x: " + "a " * (size // 2) + "\n",
        "many lines of words": "x: a\n" + "  a\n" * (size // 4),
        "deep brackets": "[" * size,
        "deep braces": "{a: " * (size // 4),
        "deep dashes": "- " * (size // 2) + "1\n",
        "deep indents": "".join(" " * n + "a:\n" for n in range(int(size**0.5))),
        "long key": "a" * size + ": 1\n",
        "long question": "? " + "a" * size + "\n: 1\n",
        "escapes": 'x: "' + "\\x41" * (size // 4) + '"\n',
        "block text": "x: |\n" + "  a\n" * (size // 4),
        "alias bomb": "a: &a [x,x]\n"
        + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)},*{chr(97 + n)}]\n" for n in range(20)),
        "many documents": "---\n" * (size // 4),
        "percent": "%" * size,
        "zeros": "\0" * size,
    }
    name = str(rng.choice(sorted(kinds)))
    return name, kinds[name]


def beyond_ceilings(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 50: one setting of arm, guard or camera outside what the schema allows, and everything else as it was."""
    found = [
        (section, name, sign, bound)
        for section in ("guard", "control", "camera", "sim")
        for name, sign, bound in _bounds(getattr(Config(), section))
    ]
    section, name, sign, bound = found[rng.integers(len(found))]
    value = bound + sign * max(abs(bound), 1.0) * float(10 ** rng.uniform(-3, 6))
    path = folder / "settings.yaml"
    path.write_text(f"{section}:\n  {name}: {value:.12g}\n")
    return Forgery(f"{section}.{name} beyond {bound:g}", "settings", str(path))


def _bounds(section: BaseModel) -> Iterator[tuple[str, int, float]]:
    """(field, direction of the forbidden side, bound) of every bounded number of a section."""
    for name, field in type(section).model_fields.items():
        for limit in field.metadata:
            for word, sign in (("ge", -1), ("gt", -1), ("le", 1), ("lt", 1)):
                bound = getattr(limit, word, None)
                if isinstance(bound, int | float) and isinstance(getattr(section, name), int | float):
                    yield name, sign, float(bound)
