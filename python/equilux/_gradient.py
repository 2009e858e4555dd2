"""What machines hand back: measurements and gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from . import _lib


class Measurement:
    """What instruments say of a batch at the end of a phase.

    As an array (``np.asarray(r)``) it is its node values.
    """

    def __init__(self, content: _lib.Measurement):
        self._content = content

    @property
    def values(self) -> np.ndarray:
        """Node values, samples x nodes (midpoints in the dyadic phase)."""
        return self._content.values

    @property
    def outputs(self) -> np.ndarray:
        """Values of the output nodes, samples x outputs."""
        return self._content.outputs

    @property
    def difference(self) -> np.ndarray | None:
        """Differences of the two copies of the dyadic phase, samples x nodes."""
        return self._content.difference

    @property
    def settled(self) -> np.ndarray:
        """Whether each sample had settled when it was read."""
        return self._content.settled

    @property
    def used(self) -> np.ndarray:
        """Whether each sample's values are to be used: it had settled, or was not to."""
        return self._content.used

    @property
    def left(self) -> np.ndarray:
        """Whether each sample left the basin of its free steady state, where anybody looked."""
        return self._content.left

    @property
    def steps(self) -> np.ndarray:
        """Relaxation steps that each sample took."""
        return self._content.steps

    def __len__(self) -> int:
        return len(self.settled)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return _as_array(self.values, dtype, copy)

    def __repr__(self) -> str:
        samples, nodes = self.values.shape
        settled = int(np.count_nonzero(self.settled))
        return f"<Measurement of {samples} samples x {nodes} nodes, {settled} settled>"


def _as_array(values: np.ndarray, dtype: Any, copy: bool | None) -> np.ndarray:
    if copy is False:
        if dtype is not None and values.dtype != np.dtype(dtype):
            raise ValueError("another dtype takes a copy")
        return values
    return np.array(values, dtype=dtype, copy=bool(copy)) if copy else np.asarray(values, dtype)


class Gradient(dict):
    """A gradient: arrays by the name of their parameter, in the shapes of the parameters.

    ``g.cosine(exact)`` and ``g.relative_error(exact)`` compare it with another; as an array it is
    all its numbers in one row.
    """

    #: The free phase that it began with.
    free: Measurement | None = None
    #: Samples that did not settle in some phase, or left, and took no part.
    unsettled: int = 0
    #: Samples among them that a nudge pushed out of their basin, as far as anybody looked.
    left: int = 0
    #: Samples that took part though a phase was over before they had settled.
    truncated: int = 0
    _fixed: frozenset[str] = frozenset()

    @property
    def trained(self) -> dict[str, np.ndarray]:
        """The arrays of those parameters that are trained."""
        return {name: array for name, array in self.items() if name not in self._fixed}

    def _compared(self, exact: Gradient) -> tuple[float, float]:
        own = self.trained
        others = exact.trained if isinstance(exact, Gradient) else dict(exact)
        if list(own) != list(others):
            raise ValueError(f"a gradient of {', '.join(others)}: expected one of {', '.join(own)}")
        return _lib.fidelity(list(own.values()), list(others.values()))

    def cosine(self, exact: Gradient) -> float:
        """Cosine of the angle between this and the ``exact`` gradient, over all trained
        parameters together."""
        return self._compared(exact)[0]

    def relative_error(self, exact: Gradient) -> float:
        """|this - exact| / |exact|, over all trained parameters together."""
        return self._compared(exact)[1]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        if copy is False:
            raise ValueError("all arrays in one row take a copy")
        row = np.concatenate([np.ravel(array) for array in self.values()])
        return row.astype(dtype, copy=False) if dtype is not None else row

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name} {' x '.join(map(str, g.shape))}" for name, g in self.items())
        norm = float(np.sqrt(sum(float(np.vdot(g, g)) for g in self.trained.values())))
        return f"<Gradient of {shapes}; |g| = {norm:.4g}>"


def gradient_of(
    names: Iterable[str], arrays: Iterable[np.ndarray], fixed: Iterable[str]
) -> Gradient:
    made = Gradient(zip(names, arrays))
    made._fixed = frozenset(fixed)
    return made
