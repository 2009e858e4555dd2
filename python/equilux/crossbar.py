"""One resistive array on the bench, behind its wires.

Cells are word lines x bit lines. Word lines are driven at their left ends and every bit line ends
at the bottom in a virtual ground; reversed, bit lines are driven and word lines are read.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import _lib


class Solution(NamedTuple):
    """What an array does."""

    #: Currents of the lines that are read, ampere.
    currents: np.ndarray
    #: Voltages of the word lines' nodes, word lines x bit lines, volt.
    word: np.ndarray
    #: Voltages of the bit lines' nodes, word lines x bit lines, volt.
    bit: np.ndarray


def _array(cells, unit, r_word, r_bit, device, at, seed) -> dict[str, Any]:
    if at is not None and device is None:
        raise ValueError("at: only a device drifts: expected device=SHEET beside it")
    return {
        "cells": cells,
        "unit": unit,
        "r_word": r_word,
        "r_bit": r_bit,
        "device": device,
        "at": at,
        "seed": seed,
    }


def solve(
    G: Any,
    V: Any,
    *,
    unit: str = "S",
    r_word: float | None = None,
    r_bit: float | None = None,
    reversed: bool = False,
    voltages: bool = False,
    device: str | None = None,
    at: str | None = None,
    seed: int = 1,
) -> np.ndarray | Solution:
    """Currents (A) of an array of cells ``G`` driven with voltages ``V``, one a driven line.

    ``unit`` is that of the cells: nS, uS, mS, S, ohm, kohm or Mohm. ``r_word`` and ``r_bit`` are
    the resistances of a segment of line, ohm (default: the device's, or 0). ``device`` programs the
    cells as that datasheet does, ``at`` such a time after (``"1 h"``), on the chip that ``seed``
    names. With ``voltages``, a :class:`Solution`.
    """
    array = _array(G, unit, r_word, r_bit, device, at, seed)
    currents, nodes = _lib.solve(array, V, reversed, voltages)
    return currents if nodes is None else Solution(currents, *nodes)


def compile(
    G: Any,
    *,
    unit: str = "S",
    r_word: float | None = None,
    r_bit: float | None = None,
    device: str | None = None,
    at: str | None = None,
    seed: int = 1,
) -> np.ndarray:
    """The effective conductances E (S, word lines x bit lines) of an array behind its wires: the
    currents are E^T V, and reversed E V. Arguments are those of :func:`solve`."""
    matrix, _ = _lib.compile(_array(G, unit, r_word, r_bit, device, at, seed))
    return matrix
