"""Equilux's simulated modulator and camera as those of slmsuite: a laboratory's own slmsuite program runs against the simulated optics.

    link = Link(["equilux", "serve", "spim-laboratory"])
    slm, camera = EquiluxSLM(link), EquiluxCamera(link)
    slm.set_phase(phase); image = camera.get_image()
"""

import json
import subprocess

import numpy as np
from slmsuite.hardware.cameras.camera import Camera
from slmsuite.hardware.slms.slm import SLM


class Link:
    """The client's end of the protocol, on the standard input and output of a command."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.id, self.levels = 0, None
        self.hello = self.ask({"do": "hello", "protocol": "equilux-laboratory/1", "client": "slmsuite"})[0]

    def ask(self, request, **arrays):
        """The fields and arrays of the answer to a request."""
        self.id += 1
        told = [{"name": name, "dtype": a.dtype.str.replace("|", "<"), "shape": a.shape} for name, a in arrays.items()]
        line = {"id": self.id, **request, "arrays": told, "bytes": sum(a.nbytes for a in arrays.values())}
        self.process.stdin.write(json.dumps(line).encode() + b"\n" + b"".join(a.tobytes() for a in arrays.values()))
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if answer.get("id") != self.id or not answer.get("ok"):
            raise RuntimeError(answer)
        found = {}
        for told in answer.get("arrays", []):
            dtype = np.dtype(told["dtype"])
            data = self.process.stdout.read(dtype.itemsize * int(np.prod(told["shape"])))
            found[told["name"]] = np.frombuffer(data, dtype).reshape(told["shape"])
        return answer, found

    def close(self):
        """Says goodbye."""
        self.ask({"do": "bye"})
        self.process.wait()


class EquiluxSLM(SLM):
    """The simulated modulator."""

    def __init__(self, link, **kwargs):
        self.link, panel = link, link.hello["panel"]
        super().__init__((panel["width"], panel["height"]), bitdepth=panel["bits"], name="equilux", settle_time_s=0, **kwargs)
        self.set_phase(None)

    def close(self):
        """Nothing to close."""

    def _set_phase_hw(self, display):
        # More of slmsuite's levels are less phase.
        levels = -display.astype(int) % 2**self.bitdepth
        self.link.levels = levels.astype("<u1" if self.bitdepth <= 8 else "<u2")


class EquiluxCamera(Camera):
    """The simulated camera: the focal plane, zero order in the middle."""

    def __init__(self, link, **kwargs):
        self.link, self.seconds, panel = link, 1.0, link.hello["panel"]
        bits = min(link.hello["camera"]["bits"], 16)
        super().__init__((panel["width"], panel["height"]), bitdepth=bits, name="equilux", **kwargs)

    def close(self):
        """Nothing to close."""

    def _get_exposure_hw(self):
        return self.seconds

    def _set_exposure_hw(self, exposure_s):
        self.seconds = float(exposure_s)

    def _get_image_hw(self, timeout_s=None):
        request = {"do": "show", "exposure": self.seconds, "images": True}
        images = self.link.ask(request, levels=self.link.levels[np.newaxis])[1]["images"]
        codes = 2**self.bitdepth - 1
        return np.clip(np.rint(images[0].astype(float) * codes), 0, codes).astype(np.uint16)
