"""Exports, reports and data."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from . import _lib
from ._labels import read_classes


def export(
    run: str | os.PathLike,
    out: str | os.PathLike,
    to: str,
    *,
    device: str | None = None,
    clip: bool = False,
    bits: int | None = None,
    sign: str = "plus",
    correction: str | os.PathLike | None = None,
    carrier: tuple[float, float] = (0.0, 0.0),
    phases: bool = False,
) -> dict[str, Any]:
    """Writes the trained machine of a run's directory for a device into the new directory ``out``.

    ``to`` is ``"slm"``, ``"crossbar"``, ``"spice"``, ``"safetensors"``, ``"npz"`` or ``"aihwkit"``;
    the other options are those of ``equilux export``. Returns the files, and what is expected of
    the machine that is built from them.
    """
    if any(abs(frequency) > 0.5 for frequency in carrier):
        raise ValueError(f"carrier = {carrier}: expected two numbers from -0.5 to 0.5")
    request = {
        "to": to,
        "device": device,
        "clip": clip,
        "bits": bits,
        "sign": sign,
        "correction": None if correction is None else os.fspath(correction),
        "carrier": tuple(carrier),
        "phases": phases,
    }
    return json.loads(_lib.export(os.fspath(run), os.fspath(out), request))


def verify(directory: str | os.PathLike) -> dict[str, Any]:
    """Checks an export: every file, and the machine that is built from them.

    Returns ``ok``, ``problems``, ``test_samples`` and ``test_accuracy``, or, of a regression,
    ``test_r2``, ``test_rmse`` and ``test_mae``.
    """
    return json.loads(_lib.verify(os.fspath(directory)))


def report(directory: str | os.PathLike) -> Path:
    """Writes the report of a run or of a study anew, and returns where it is."""
    return Path(_lib.report(os.fspath(directory)))


def load_data(
    name: str, label: str | Sequence[str] = "class", task: str = "classification"
) -> tuple[np.ndarray, np.ndarray]:
    """A data set that an experiment may name, neither split nor scaled: ``"wine"``, ``"digits"``,
    one that was fetched or imported, or a CSV file with a column ``label``.

    Returns features (samples x features) and the label of each sample: numbers, where all classes
    are numbers, else texts. With ``task="regression"``, ``label`` is the column of the target, and
    its values are returned, or a list of such columns: samples x targets.
    """
    tasks = ["classification", "regression"]
    if task not in tasks:
        raise ValueError(f"task = {task!r}: expected one of {', '.join(tasks)}")
    columns = [label] if isinstance(label, str) else list(label)
    X, labels, names = _lib.load_data(name, columns, task == "regression")
    if task == "regression":
        return X, labels[:, 0] if isinstance(label, str) else labels
    return X, np.asarray(read_classes(names))[labels]
