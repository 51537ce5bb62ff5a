"""Writes special.json: special functions of doubles, to the last place. Run: python test/golden/special.py (needs mpmath)"""

import json
import pathlib

import mpmath

mpmath.mp.dps = 60


def erfinv(x):
    x = mpmath.mpf(x)
    y = mpmath.erfinv(x)
    for _ in range(3):
        y -= (mpmath.erf(y) - x) * mpmath.sqrt(mpmath.pi) / 2 * mpmath.exp(y * y)
    return y


def spread(low, high, count):
    return [2 ** (low + (high - low) * i / count) for i in range(count)]


near_one = [1 - x for x in spread(-52, -1, 40)]
points = {
    "erf": (mpmath.erf, spread(-60, 2.6, 100) + [0.37 + 0.061 * i for i in range(90)]),
    "erfc": (mpmath.erfc, spread(-60, 4.7, 100) + [-x for x in spread(-60, 2.6, 30)] + [0.37 + 0.2917 * i for i in range(90)] + [0.5 + 0.0061 * i for i in range(90)]),
    "erfinv": (erfinv, spread(-60, -0.01, 80) + near_one + [0.003 + 0.01 * i for i in range(100)]),
}
cases = {name: {"x": [float(v) for v in x], "y": [float(f(v)) for v in x]} for name, (f, x) in points.items()}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(cases) + "\n")
