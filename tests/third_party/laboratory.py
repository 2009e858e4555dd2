"""Both ways between us and slmsuite: our masks on its simulated pair, and its program on our simulated optics."""

import sys

import numpy as np

sys.path.insert(0, sys.argv[3])
import bench
import slmsuite_bench
import slmsuite_simulated
from slmsuite.hardware.cameras.simulated import SimulatedCamera
from slmsuite.hardware.slms.simulated import SimulatedSLM

height, width = 40, 40
rows, columns = np.mgrid[:height, :width]
# Asymmetric: no turn and no mirror image of one is the same, nor its negative.
blazes = [(5, 3), (-5, 3), (2, -7), (9, 1)]
masks = [np.round(256 * (down * rows + across * columns) / width).astype(int) % 256 for down, across in blazes]
letter = np.zeros((height, width), int)
letter[3:30, 4:8], letter[3:7, 4:22], letter[14:18, 4:16] = 200, 90, 40

# Ours on slmsuite's pair.
slm = SimulatedSLM((width, height), name="modulator")
camera = SimulatedCamera(slm, bitdepth=16, name="camera")
slmsuite_bench.connect(slm, camera, (height // 2, width // 2))
for mask in [*masks, letter]:
    bench.show(mask[np.newaxis].astype(np.uint8), 1.0)
    assert np.array_equal(slm.display, -mask % 256), "level by level, unmirrored and unrotated"
    shown = np.angle(np.exp(1j * (slm._display2phase(slm.display) - 2 * np.pi * mask / 256)))
    assert np.abs(shown).max() < 1e-4, "with its sign"
for (down, across), mask in zip(blazes, masks):
    bench.show(mask[np.newaxis].astype(np.uint8), 1.0)
    image = camera.get_image()
    assert np.unravel_index(np.argmax(image), image.shape) == (height // 2 + down, width // 2 + across), (down, across)

# slmsuite's program on ours.
link = slmsuite_simulated.Link([sys.argv[1], "serve", "ideal-slm", "--set", f"device.spim.panel.width_px={width}", "--set", f"device.spim.panel.height_px={height}", "--set", "device.spim.quantisation.bits=8"])
ours, seen = slmsuite_simulated.EquiluxSLM(link), slmsuite_simulated.EquiluxCamera(link)
for (down, across), mask in zip(blazes, masks):
    phase = 2 * np.pi * mask / 256
    ours.set_phase(phase)
    slm.set_phase(phase)
    own, theirs = np.asarray(seen.get_image(), float), np.asarray(camera.get_image(), float)
    assert np.unravel_index(np.argmax(own), own.shape) == (height // 2 + down, width // 2 + across), (down, across)
    assert np.unravel_index(np.argmax(theirs), theirs.shape) == (height // 2 + down, width // 2 + across), (down, across)
ours.set_phase(2 * np.pi * letter / 256)
slm.set_phase(2 * np.pi * letter / 256)
own, theirs = np.asarray(seen.get_image(), float), np.asarray(camera.get_image(), float)
own, theirs = own / own.sum(), theirs / theirs.sum()
correlation = np.corrcoef(own.ravel(), theirs.ravel())[0, 1]
assert correlation > 0.999, correlation
link.close()
print(f"{len(masks) + 1} masks, images correlated to {correlation:.6f}")
