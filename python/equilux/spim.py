"""Bench instruments of a spatial photonic Ising machine: masks, and their focal plane."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from . import _lib
from ._experiment import settings_of


class Masks(list):
    """Masks as arrays of levels (uint16, rows from the top), one a pattern. Level g adds the phase
    2 pi g / 2^bits, or what the device's measured response says."""

    #: Bits of the levels.
    bits: int

    def __repr__(self) -> str:
        rows, columns = self[0].shape
        return f"<{len(self)} masks of {columns} x {rows} pixels, {self.bits} bits>"


class Frame:
    """The focal plane of a mask. Intensities are relative to the zero order of a flat phase on a
    panel without dead zones; frequencies are in cycles a pixel, down and across."""

    def __init__(self, zero_order, camera, points, image, photograph):
        #: The zero order without noise.
        self.zero_order: float = zero_order
        #: The zero order as the camera reads it.
        self.camera: float = camera
        #: Intensities by (fy, fx).
        self.intensities: dict[tuple[float, float], float] = {(y, x): v for y, x, v in points}
        #: The focal plane, zero order in the middle, without noise; if it was asked for.
        self.image: np.ndarray | None = image
        #: The same as the camera sees it.
        self.photograph: np.ndarray | None = photograph

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        if self.image is None:
            raise ValueError("no image: expected frame(..., image=True)")
        return np.array(self.image, dtype=dtype, copy=True)

    def __repr__(self) -> str:
        return f"<Frame: zero order {self.zero_order:.6g}, the camera reads {self.camera:.6g}>"


def _modulator(device, seed, chip, set, settings) -> dict[str, Any]:
    return {
        "device": os.fspath(device),
        "settings": settings_of(set, settings),
        "seed": seed,
        "chip": chip,
    }


def encode(
    values: Any,
    patterns: Any = None,
    *,
    device: str | os.PathLike = "ideal-slm",
    reference: str = "zero",
    seed: int = 1,
    chip: int = 0,
    set: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Masks:
    """The masks that show node ``values`` (one a node, in [-1, 1]) through ``patterns`` (nodes x
    patterns, in [-1, 1]; default: one of ones) on the modulator of a datasheet.

    ``reference`` is the phase of the reference of homodyne readout, ``"zero"`` or ``"pi"``.
    Settings change numbers of the sheet: ``panel__macro_pixel_px=16``.
    """
    if reference not in ("zero", "pi"):
        raise ValueError(f'reference = {reference!r}: expected "zero" or "pi"')
    modulator = _modulator(device, seed, chip, set, settings)
    masks, bits = _lib.encode(modulator, values, patterns, reference == "pi")
    made = Masks(masks)
    made.bits = bits
    return made


def frame(
    mask: str | os.PathLike | Any,
    *,
    bits: int | None = None,
    device: str | os.PathLike = "ideal-slm",
    tier: str = "wave",
    at: Sequence[tuple[float, float]] = (),
    nodes: int | None = None,
    image: bool = False,
    seed: int = 1,
    chip: int = 0,
    set: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Frame:
    """Shows a mask on the modulator of a datasheet and looks at the focal plane.

    ``mask`` is a file (grey PNG, ``.npy``, ``.csv``) or an array of levels of so many ``bits``
    (default: 8, or as many as the largest level needs). ``at`` are points of the focal plane,
    cycles a pixel down and across (default: the zero order and the Nyquist orders). ``tier`` is
    ``"wave"``; ``"effective"`` and ``"analytic"`` see the zero order of masks of node values.
    """
    if not isinstance(mask, (str, os.PathLike)):
        levels = np.asarray(mask)
        if bits is None and levels.size and levels.dtype.kind in "iuf":
            bits = max(8, int(np.nanmax(levels)).bit_length())
        mask = (levels, bits or 8)
    points = [(float(down), float(across)) for down, across in at]
    sight = {"tier": tier, "points": points, "nodes": nodes, "image": image}
    return Frame(*_lib.frame(_modulator(device, seed, chip, set, settings), mask, sight))


def agree(
    device: str | os.PathLike,
    *,
    nodes: int | None = None,
    samples: int = 8,
    seed: int = 1,
    set: Mapping[str, Any] | None = None,
    **settings: Any,
) -> dict[str, dict[str, float]]:
    """How far the cheaper tiers part from wave optics on a device: rms errors of zero-order
    intensities, of each effect alone and of ``"all"``."""
    modulator = _modulator(device, seed, 0, set, settings)
    rows = _lib.agree(modulator, nodes, samples)
    return {name: {"analytic": a, "effective": e} for name, a, e in rows}
