"""Labels of any kind, as classes, and values of targets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def labels_of(y: Any, samples: int | None = None) -> list[Any]:
    """The label of each sample. Labels may be anything that is hashable."""
    if isinstance(y, (str, bytes)) or not hasattr(y, "__len__"):
        raise ValueError(f"y: {type(y).__name__}: expected a label for each sample")
    array = y if isinstance(y, np.ndarray) else None
    if array is None and hasattr(y, "__array__"):
        array = np.asarray(y)
    if array is not None and array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array is not None and array.ndim != 1:
        raise ValueError(
            f"y: an array of {' x '.join(map(str, array.shape))}: expected one label a sample"
        )
    listed = [plain(label) for label in (y if array is None else array)]
    if samples is not None and len(listed) != samples:
        raise ValueError(f"y: {len(listed)} labels, X has {samples} samples: expected one each")
    if not listed:
        raise ValueError("y: no labels: expected one for each sample")
    for at, label in enumerate(listed):
        try:
            hash(label)
        except TypeError:
            raise ValueError(
                f"y: sample {at}: a {type(label).__name__}: expected something hashable"
            ) from None
        if label is None or (isinstance(label, (float, complex)) and label != label):
            raise ValueError(f"y: sample {at}: {label}: expected a label")
    return listed


def target_names(count: int) -> list[str]:
    """What ``count`` targets without names are called."""
    return ["y"] if count == 1 else [f"y{target}" for target in range(1, count + 1)]


def values_of(y: Any, samples: int) -> tuple[np.ndarray, list[str]]:
    """The values of targets (samples x targets) and their names: those of the columns of a table,
    else ``y``, or ``y1``, ``y2`` and so on."""
    array = np.asarray(y)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(
            f"y: an array of {' x '.join(map(str, array.shape))}: expected samples x targets"
        )
    if array.dtype == object:
        try:
            array = array.astype(float)
        except (TypeError, ValueError):
            raise ValueError("y: expected numbers: this experiment learns values") from None
    if len(array) != samples:
        raise ValueError(
            f"y: targets of {len(array)} samples, X has {samples} samples: expected one each"
        )
    called = list(getattr(y, "columns", [])) or [getattr(y, "name", None)]
    if len(called) != array.shape[1] or not all(isinstance(name, str) for name in called):
        called = target_names(array.shape[1])
    return array, called


def texts_of(labels: Sequence[Any]) -> tuple[list[str], dict[str, Any]]:
    """Labels as the texts that files have, each its own, and the label of each text."""
    text: dict[Any, str] = {}
    back: dict[str, Any] = {}
    for label in labels:
        key = (type(label), label)
        if key in text:
            continue
        name = str(label).strip() or repr(label)
        if name in back:
            raise ValueError(
                f"y: {back[name]!r} and {label!r}: two labels of one text, expected labels that a "
                "file can tell apart"
            )
        text[key], back[name] = name, label
    return [text[(type(label), label)] for label in labels], back


def read_classes(texts: Sequence[str]) -> list[Any]:
    """Classes of a file: numbers, where all of them are, else texts."""

    def number(text: str) -> int | float:
        try:
            return int(text)
        except ValueError:
            return float(text)

    try:
        return [number(text) for text in texts]
    except ValueError:
        return list(texts)


def array_of(classes: Sequence[Any]) -> np.ndarray:
    """Classes as an array: of numbers or texts where all are of one such type, else of objects."""
    if len({type(label) for label in classes}) == 1 and isinstance(
        classes[0], (bool, int, float, str)
    ):
        return np.asarray(classes)
    array = np.empty(len(classes), dtype=object)
    for at, label in enumerate(classes):
        array[at] = label
    return array
