"""What the wire costs: a training run whose laboratory, a server in Python, shows masks of a whole panel.

    python3 benches/laboratory.py target/release/equilux

A frame costs what passes between the end of one showing and the start of the next: the answer, forces and steps of the relaxation, the
encoding of masks, their way through the pipe. A camera's 60 Hz give it 16.7 ms.
"""

import json
import sys
import time
from pathlib import Path
from statistics import median
from subprocess import PIPE, run
from tempfile import TemporaryDirectory

import numpy as np

sys.path.append(str(Path(__file__).parent.parent / "examples"))
import bench

WIDTH, HEIGHT = 1272, 1024


class Timed:
    """A source of requests that notes when each line had come, and when the bytes after it."""

    def __init__(self, source):
        self.source, self.came, self.read = source, 0.0, 0.0

    def readline(self, size):
        line = self.source.readline(size)
        self.came = time.perf_counter()
        return line

    def readinto(self, memory):
        count = self.source.readinto(memory)
        self.read = time.perf_counter()
        return count


def serve(out: str, rate: float) -> None:
    """Serves on standard input and output, `rate` frames a second (0: as many as come), and writes into `out` what each request took."""
    told, last, streams = [], None, bench.standard_streams()
    source = Timed(streams[0])

    def show(levels, exposure):
        nonlocal last
        begun = time.perf_counter()
        if rate:
            time.sleep(max(0.0, len(levels) / rate))
        light = exposure * levels[:, 0, 0].astype(float) * 1e-3 + 1e-3
        ended = time.perf_counter()
        told.append([len(levels), levels.nbytes, source.read - source.came, 0.0 if last is None else begun - last])
        last = ended
        return light, np.zeros(len(levels), bool)

    bench.WIDTH, bench.HEIGHT, bench.show = WIDTH, HEIGHT, show
    bench.HELLO["panel"] = {"width": WIDTH, "height": HEIGHT, "bits": 8}
    bench.serve(source, streams[1])
    Path(out).write_text(json.dumps(told))


def measure(program: str, rate: float, samples: int, macro_pixel: int) -> None:
    with TemporaryDirectory() as place:
        out = Path(place) / "told.json"
        settings = {
            "training.epochs": 1,
            "data.test_fraction": 0.9,
            "network.layers": "[13,5,3]",
            "device.spim.patterns.count": samples,
            "device.spim.panel.width_px": WIDTH,
            "device.spim.panel.height_px": HEIGHT,
            "device.spim.panel.macro_pixel_px": macro_pixel,
            "relaxation.max_steps": 1,
            "relaxation.tolerance": 10,
            "measurement.samples": 1,
        }
        words = [program, "train", "wine-spim", "--out", f"{place}/run"]
        words += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        words += ["--laboratory", f"{sys.executable} {__file__} serve {out} {rate}"]
        done = run(words, stdout=PIPE, stderr=PIPE, text=True)
        if not out.exists():
            sys.exit(done.stderr)
        # The first requests look for the exposure, one frame each; and somebody has to wake up.
        told = [row for row in json.loads(out.read_text()) if row[0] > 1][1:]
    # What else the machine does comes on top: typical requests, and those that it disturbs least.
    speeds = sorted(size / way / 1e9 for _, size, way, _ in told)
    costs = sorted(1e3 * between / frames for frames, _, _, between in told)
    tenth = len(told) // 10
    print(
        f"{WIDTH} x {HEIGHT}, macro-pixels of {macro_pixel}, {'as fast as it goes' if not rate else f'{rate:.0f} Hz'}, {len(told)} requests: "
        f"{median(speeds):.2f} GB/s (fastest tenth {speeds[-tenth]:.2f}); {median(costs):.2f} ms a frame beside its showing (fastest tenth "
        f"{costs[tenth]:.2f}), {6 * median(costs):.1f} % ({6 * costs[tenth]:.1f} %) of a frame at 60 Hz",
        flush=True,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(sys.argv[2], float(sys.argv[3]))
    elif len(sys.argv) != 2:
        sys.exit(__doc__)
    else:
        for macro_pixel in (192, 8):
            measure(sys.argv[1], 0, 2, macro_pixel)
        measure(sys.argv[1], 60, 1, 192)
