#!/usr/bin/env bash
# jaxtyping 0.3.11 with beartype 0.23.1: under the import hook, a function that is defined inside another one is decorated
# again at every call of the outer one, and each time beartype writes, compiles and evaluates checks for it.
#
# One would guess that a package under the import hook (`install_import_hook`, pytest's `--jaxtyping-packages`) pays for its
# checks in two places: once a function when it is imported, and a little at each call. The hook puts its decorator before every
# `def` of the source, nested ones too, and a nested `def` is carried out at each call of the function around it: a helper inside a
# `forward` is compiled anew for every batch, twice (parameters alone, then with the result). It was a tenth of a test suite. Seen:
# two checkers for each function of the module at import, then, after 50 calls, 100 more for the nested one, and a call 14 to 41 times
# as dear as with the helper beside it. A lambda, a functools.partial and a function of the module are not affected.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 jaxtyping==0.3.11 beartype==0.23.1
cd "$work"
cat > rooms.py <<'PYTHON'
from jaxtyping import Float
from numpy import ndarray


def half(values: Float[ndarray, "N"]) -> Float[ndarray, "N"]:
    return values / 2


def inside(values: Float[ndarray, "N"]) -> Float[ndarray, "N"]:
    def half(values: Float[ndarray, "N"]) -> Float[ndarray, "N"]:
        return values / 2

    return half(values)


def beside(values: Float[ndarray, "N"]) -> Float[ndarray, "N"]:
    return half(values)
PYTHON
cat > counted.py <<'PYTHON'
from collections import Counter

from beartype import beartype

calls = Counter()


def checked(function):
    calls[function.__qualname__] += 1
    return beartype(function)
PYTHON
"$work/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version
from timeit import timeit

import numpy as np
from jaxtyping import install_import_hook

with install_import_hook("rooms", "counted.checked"):
    import rooms
import counted

values = np.ones(3)
imported = dict(counted.calls)
for _ in range(50):
    rooms.inside(values)
    rooms.beside(values)
after = dict(counted.calls)
ratio = timeit(lambda: rooms.inside(values), number=50) / timeit(lambda: rooms.beside(values), number=50)
print(f"jaxtyping {version('jaxtyping')}, beartype {version('beartype')}: imported {imported}, after 50 calls {after}, {ratio:.0f} times")
assert imported == {"half": 2, "inside": 2, "beside": 2}, "import decorates otherwise now"
assert after == imported | {"inside.<locals>.half": 100}, "a nested function is decorated otherwise now"
assert ratio > 5, "decorating a nested function costs little now"
PYTHON
