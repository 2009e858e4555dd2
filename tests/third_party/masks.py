"""Masks on the simulated modulator and camera of slmsuite: it shows our levels, and its zero order is ours."""

import sys

import numpy as np
import slmsuite.hardware.cameras.simulated as camera_module
import slmsuite.hardware.slms.simulated as slm_module
from common import close, equilux, manifest
from PIL import Image as image

directory, described = sys.argv[2], manifest()
held = next(held["slm"] for held in described["held"] if "slm" in held)
layout = held["layout"]
slm = slm_module.SimulatedSLM(
    (layout["width_px"], layout["height_px"]), bitdepth=held["bits"], wav_um=held["wavelength_nm"] / 1000, pitch_um=(held["pitch_um"],) * 2
)
camera = camera_module.SimulatedCamera(slm)
with open(f"{directory}/perfect.toml", "w", encoding="utf-8") as sheet:
    sheet.write('kind = "spim"\ntitle = "a perfect modulator"\n')
    for key, value, unit in [("quantisation.bits", held["bits"], "bit"), ("panel.width_px", layout["width_px"], "px"), ("panel.height_px", layout["height_px"], "px")]:
        sheet.write(f'[{key}]\nvalue = {value}\nunit = "{unit}"\nsource = "the manifest"\n')
for mask in held["masks"]:
    path = f"{directory}/{mask['file']}"
    levels = np.asarray(image.open(path)).astype(slm.display.dtype)
    slm.set_phase(levels)
    assert np.array_equal(slm.display, levels)
    render = np.abs(camera._render() if hasattr(camera, "_render") else camera.render())
    render = np.asarray(render, dtype=float) / np.sum(render)
    found = render[layout["height_px"] // 2, layout["width_px"] // 2]
    expected = equilux("spim", "frame", path, "--device", f"{directory}/perfect.toml", "--tier", "wave")["zero_order"]
    # slmsuite works in single precision.
    close(found, expected, 1e-6 + 1e-4 * expected, mask["file"])
    close(expected, mask["orders"][0], 2 * np.pi / 2 ** held["bits"] * 0.02 + 1e-4, f"{mask['file']}: orders")
    # Given phases, slmsuite shows phase 0 as the highest level: the complement of ours.
    phases = np.load(f"{directory}/{mask['phases']}")
    slm.set_phase(phases.astype(float))
    shown = slm.display.astype(int)
    apart = (2 ** held["bits"] - 1 - levels.astype(int) - shown) % 2 ** held["bits"]
    assert np.all((apart == 0) | (apart == 1) | (apart == 2 ** held["bits"] - 1)) and np.mean(apart == 0) > 0.5, mask["file"]
print(len(held["masks"]), "masks")
