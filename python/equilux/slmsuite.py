"""The simulated modulator and camera as those of slmsuite: a laboratory's own slmsuite program runs
against simulated optics.

    slm = eq.slmsuite.SLM("spim-laboratory")
    camera = eq.slmsuite.Camera(slm)
    slm.set_phase(phase)
    image = camera.get_image()
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import _lib
from ._experiment import Experiment, settings_of

try:
    from slmsuite.hardware.cameras.camera import Camera as _Camera
    from slmsuite.hardware.slms.slm import SLM as _SLM
except ImportError as error:
    raise ImportError("equilux.slmsuite wants slmsuite: pip install slmsuite") from error


class SLM(_SLM):
    """The simulated modulator of a datasheet (a name or a path) or of an experiment.

    Settings change numbers of the experiment: ``device__spim__camera__bits=10``. ``tier`` is
    ``"wave"``, which takes any mask.
    """

    def __init__(
        self,
        device: str | os.PathLike | Experiment,
        *,
        tier: str = "wave",
        set: Mapping[str, Any] | None = None,
        **settings: Any,
    ):
        if tier not in ("wave", "effective"):
            raise ValueError(f'tier = {tier!r}: expected "wave" or "effective"')
        sheet, toml = None, ""
        if isinstance(device, Experiment):
            toml = device.to_toml()
        else:
            sheet = os.fspath(device)
        listed = settings_of(set, settings)
        self.instrument = _lib.SimulatedFrames(sheet, toml, listed, tier == "wave")
        self.told = json.loads(self.instrument.hello())
        panel = self.told["panel"]
        super().__init__(
            (panel["width"], panel["height"]),
            bitdepth=panel["bits"],
            name=self.told["name"],
            settle_time_s=0,
        )
        self.set_phase(None)

    def close(self) -> None:
        """Nothing to close."""

    def _set_phase_hw(self, display: np.ndarray) -> None:
        # More of slmsuite's levels are less phase.
        levels = -display.astype(int) % 2**self.bitdepth
        self.levels = levels.astype("<u1" if self.bitdepth <= 8 else "<u2")


class Camera(_Camera):
    """The simulated camera of a modulator: its focal plane, the zero order in the middle."""

    def __init__(self, slm: SLM):
        self.slm, self.seconds = slm, 1.0
        panel = slm.told["panel"]
        # Images hold whole numbers of 16 bits.
        bits = min(slm.told["camera"]["bits"], 16)
        shape = (panel["width"], panel["height"])
        super().__init__(shape, bitdepth=bits, name=slm.told["name"])

    def close(self) -> None:
        """Nothing to close."""

    def _get_exposure_hw(self) -> float:
        return self.seconds

    def _set_exposure_hw(self, exposure_s: float) -> None:
        self.seconds = float(exposure_s)

    def _get_image_hw(self, timeout_s: float | None = None) -> np.ndarray:
        levels = np.ascontiguousarray(self.slm.levels[np.newaxis])
        dtype = levels.dtype.str.replace("|", "<")
        request = json.dumps({"do": "show", "exposure": self.seconds, "images": True})
        sent = [("levels", dtype, list(levels.shape), levels.tobytes())]
        images = dict(self.slm.instrument.ask(request, sent))["images"]
        codes = 2**self.bitdepth - 1
        return np.clip(np.rint(images[0].astype(float) * codes), 0, codes).astype(np.uint16)
