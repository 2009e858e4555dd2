"""A laboratory's own instruments, in Python: the other end of the protocol equilux-laboratory/1.

class Bench(eq.lab.Frames):
    panel, bits, camera_bits = (1272, 1024), 8, 12

    def show(self, levels, exposure):
        images = [my_camera.image(my_modulator.show(frame), exposure) for frame in levels]
        return intensities, saturated

eq.train("wine-spim", laboratory=Bench())        # in this process
eq.lab.serve(Bench(), "127.0.0.1:5757")          # for programs elsewhere
"""

from __future__ import annotations

import json
import sys
import threading
import uuid
import weakref
from typing import Any

import numpy as np

from . import _lib


class Refused(Exception):
    """Why an instrument does not do what it is asked: a code, and words.

    ``code`` is ``"saturated"``, ``"busy"`` (it is asked again), ``"range"``, ``"unsupported"``,
    ``"interlock"`` or ``"fatal"`` (both end the run, with a checkpoint). Other exceptions are
    fatal.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code


class Instrument:
    """What :class:`Frames` and :class:`Array` share."""

    #: What it is called.
    name: str = ""
    #: Its serial number, if it has one.
    serial: str | None = None

    def _session(self) -> str:
        # One for as long as the instrument stands.
        return self.__dict__.setdefault("_own_session", uuid.uuid4().hex[:8])

    def _hello(self) -> str:
        told = {"name": self.name or type(self).__name__, "session": self._session()}
        if self.serial is not None:
            told["serial"] = self.serial
        return json.dumps({**told, **self._facts()})

    def _state(self) -> str:
        revision = self.__dict__.get("_revision", 0)
        return json.dumps({"session": self._session(), "revision": revision, "expense": {}})

    def _answer(self, fields: str, arrays: list[tuple[str, np.ndarray]]):
        request = json.loads(fields)
        told, found = self._done(request, dict(arrays))
        sent = [
            (name, array.dtype.str.replace("|", "<"), list(array.shape), array.tobytes())
            for name, array in found.items()
        ]
        return json.dumps({"ok": True, **told}), sent

    def _facts(self) -> dict[str, Any]:
        raise NotImplementedError

    def _done(self, request: dict[str, Any], arrays: dict[str, np.ndarray]):
        raise NotImplementedError


def _asked(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    if name not in arrays:
        raise Refused("range", f"expected an array `{name}`")
    return arrays[name]


def _numbers(found: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """What a method returned, as the protocol sends it."""
    numbers = np.ascontiguousarray(found, "<f8")
    if numbers.size != np.prod(shape):
        raise Refused("fatal", f"{what} of shape {numbers.shape}: expected {shape}")
    return numbers.reshape(shape)


class Frames(Instrument):
    """A phase modulator and a camera. Say what they are, and fill in :meth:`show`."""

    #: Width and height of the modulator, pixels.
    panel: tuple[int, int]
    #: Its levels are 2^bits: level g adds the phase 2 pi g / 2^bits.
    bits: int = 8
    #: Bits of the camera.
    camera_bits: int = 12
    #: Frames a request.
    max_frames: int = 64
    #: Frames a second.
    frame_rate_Hz: float = 60.0

    def show(self, levels: np.ndarray, exposure: float) -> Any:
        """Shows ``levels`` (frames x height x width; first row the top, first column the left),
        each until it has settled, exposed ``exposure`` times as long as usual.

        Returns the light in the zero order of each, in units of the camera's full scale, dark level
        taken off; and, after it, whether any camera pixel was saturated (default: those at 1).
        """
        raise NotImplementedError(f"{type(self).__name__}.show")

    def _facts(self) -> dict[str, Any]:
        width, height = self.panel
        return {
            "kind": "frames",
            "panel": {"width": int(width), "height": int(height), "bits": int(self.bits)},
            "camera": {"bits": int(self.camera_bits)},
            "regions": 1,
            "max_frames": int(self.max_frames),
            "frame_rate_Hz": float(self.frame_rate_Hz),
        }

    def _done(self, request: dict[str, Any], arrays: dict[str, np.ndarray]):
        if request.get("do") != "show" or request.get("region") or request.get("images"):
            raise Refused("unsupported", "this bench shows frames and reads the zero order")
        levels = _asked(arrays, "levels")
        width, height = self.panel
        if levels.shape[1:] != (height, width) or len(levels) > self.max_frames:
            limits = f"{self.max_frames} x {height} x {width}"
            raise Refused("range", f"levels of shape {levels.shape}: expected at most {limits}")
        shown = self.show(levels, float(request.get("exposure", 1.0)))
        light, saturated = shown if isinstance(shown, tuple) else (shown, None)
        shape = (len(levels), 1)
        light = _numbers(light, shape, "intensities")
        saturated = light >= 1 if saturated is None else _numbers(saturated, shape, "saturated")
        return {}, {"intensities": light, "saturated": saturated.astype("<u1")}


class Array(Instrument):
    """Resistive cells between drivers and converters. Say what they are, and fill in
    :meth:`program` and :meth:`read`."""

    #: Rows (two for each output of the machine, 2i with G+ and 2i + 1 with G-) and columns.
    rows: int
    columns: int
    #: The conductances that a cell can be set to, microsiemens.
    g_min_uS: float
    g_max_uS: float
    #: Samples of a request.
    max_samples: int = 256
    #: Reads a second.
    reads_per_second: float = 1e4

    def program(self, conductances: np.ndarray) -> None:
        """Sets the cells to ``conductances``, rows x columns, microsiemens."""
        raise NotImplementedError(f"{type(self).__name__}.program")

    def pulse(self, counts: np.ndarray) -> None:
        """Pulses the cells, rows x columns, as often as ``counts`` says, negative downwards. Asked
        again for the same pulses, the instrument is not called."""
        raise Refused("unsupported", "cells are programmed, not pulsed")

    def read(self, volts: np.ndarray, reversed: bool) -> Any:
        """Drives the columns with ``volts`` (samples x columns) and returns the currents of all
        rows (samples x rows, microampere); ``reversed`` drives the rows and reads the columns."""
        raise NotImplementedError(f"{type(self).__name__}.read")

    def _facts(self) -> dict[str, Any]:
        return {
            "kind": "array",
            "rows": int(self.rows),
            "columns": int(self.columns),
            "g_min_uS": float(self.g_min_uS),
            "g_max_uS": float(self.g_max_uS),
            "max_samples": int(self.max_samples),
            "reads_per_second": float(self.reads_per_second),
        }

    def _done(self, request: dict[str, Any], arrays: dict[str, np.ndarray]):
        what = request.get("do")
        if what == "program":
            self.program(_numbers(_asked(arrays, "values"), (self.rows, self.columns), "values"))
            self._revision = int(request.get("revision", 0))
            return {"revision": self._revision}, {}
        if what == "pulse":
            counts = _numbers(_asked(arrays, "counts"), (self.rows, self.columns), "counts")
            nonce = request.get("nonce")
            if nonce is None or nonce != self.__dict__.get("_nonce"):
                self.pulse(counts.astype(int))
                self._nonce = nonce
            self._revision = int(request.get("revision", self.__dict__.get("_revision", 0)))
            return {"done": True}, {}
        if what != "read":
            raise Refused("unsupported", f"{what}: this array is programmed, pulsed and read")
        reversed = request.get("port") == "reversed"
        driven, lines = (self.rows, self.columns) if reversed else (self.columns, self.rows)
        volts = _asked(arrays, "values")
        if volts.ndim != 2 or volts.shape[1] != driven or len(volts) > self.max_samples:
            limits = f"{self.max_samples} x {driven}"
            raise Refused("range", f"values of shape {volts.shape}: expected at most {limits}")
        currents = self.read(volts.astype(float), reversed)
        currents = _numbers(currents, (len(volts), lines), "currents")
        first, end = request.get("wanted", (0, lines))
        return {}, {"currents": np.ascontiguousarray(currents[:, first:end])}


def serve(instrument: Instrument, address: str) -> None:
    """Serves ``instrument`` at ``address``, ``HOST:PORT`` (port 0 takes a free one), one client
    after another, until Ctrl-C."""
    server = _lib.Server(address)
    print(f"listening on {server.address}", file=sys.stderr, flush=True)
    if not server.address.startswith(("127.", "[::1]")):
        told = f"warning: {server.address} can be reached from other computers, by anyone"
        print(told, file=sys.stderr, flush=True)
    try:
        server.serve(_checked(instrument), lambda line: print(line, file=sys.stderr, flush=True))
    except KeyboardInterrupt:
        pass


def _checked(instrument: Any) -> Instrument:
    if not isinstance(instrument, Instrument):
        expected = "expected an equilux.lab.Frames or Array"
        raise ValueError(f"laboratory: {type(instrument).__name__}: {expected}")
    instrument._hello()  # What is not said of it is missed here.
    return instrument


_servers: weakref.WeakKeyDictionary[Instrument, Any] = weakref.WeakKeyDictionary()


def place(laboratory: Any) -> str:
    """How the library reaches a laboratory: an address or a command as it is, an instrument of this
    process through a server of its own."""
    if isinstance(laboratory, str):
        return laboratory
    instrument = _checked(laboratory)
    if instrument not in _servers:
        server = _lib.Server("127.0.0.1:0")
        told = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
        # It goes with the process.
        threading.Thread(target=server.serve, args=(instrument, told), daemon=True).start()
        _servers[instrument] = server
    return _servers[instrument].address
