"""A modulator and a camera of slmsuite behind the protocol equilux-laboratory/1.

    python3 examples/slmsuite_bench.py 127.0.0.1:5757          (or on standard input and output, without an address)

As it stands the two are slmsuite's simulated pair; put yours in their place.
"""

import sys

import bench
import numpy as np
from slmsuite.hardware.cameras.simulated import SimulatedCamera
from slmsuite.hardware.slms.simulated import SimulatedSLM


def connect(slm, camera, middle, half=0):
    """Makes bench.py show on `slm` and read `camera` about the zero order at `middle` (row, column), `half` pixels to each side."""
    (row, column), codes = middle, 2**camera.bitdepth - 1
    region = np.s_[row - half : row + half + 1, column - half : column + half + 1]

    def show(levels, exposure):
        camera.set_exposure(exposure)
        images = []
        for frame in levels:
            # slmsuite shows whole numbers as they are, and more of them as less phase: the complement of a level is its phase.
            slm.set_phase((-frame.astype(int) % 2**slm.bitdepth).astype(slm.display.dtype), settle=True)
            images.append(np.asarray(camera.get_image(), float)[region] / codes)
        images = np.array(images)
        return images.sum(axis=(1, 2)), (images >= 1).any(axis=(1, 2))

    bench.WIDTH, bench.HEIGHT = slm.shape[1], slm.shape[0]
    bench.HELLO["panel"] = {"width": slm.shape[1], "height": slm.shape[0], "bits": slm.bitdepth}
    bench.HELLO |= {"name": f"{slm.name} and {camera.name}", "camera": {"bits": camera.bitdepth}}
    bench.show = show


if __name__ == "__main__":
    streams = bench.standard_streams() if len(sys.argv) < 2 else None  # slmsuite prints
    slm = SimulatedSLM((40, 40), name="simulated modulator")
    camera = SimulatedCamera(slm, bitdepth=16, name="simulated camera")
    connect(slm, camera, (slm.shape[0] // 2, slm.shape[1] // 2))
    bench.main(streams)
