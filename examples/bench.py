"""A laboratory's end of the protocol equilux-laboratory/1: standard library and numpy, one file. Copy it and fill in `show`.

    equilux train configs/wine-spim.toml --laboratory "python3 examples/bench.py"          (standard input and output)
    python3 examples/bench.py 127.0.0.1:5757                                               (a TCP server)

As it stands, `show` is an ideal lens behind an ideal modulator and a camera of 12 bits, so that the loop can be tried before the real one
exists. A crossbar has the kind "array" and the requests `program` and `read` in place of `show`: docs/laboratory.md has them all.
"""

import json
import os
import socket
import sys
import uuid

import numpy as np

WIDTH, HEIGHT, BITS = 48, 48, 8  # the modulator
CAMERA_BITS = 12
FRAMES_A_REQUEST, FRAMES_A_SECOND = 64, 60
PHASES = np.exp(2j * np.pi * np.arange(2**BITS) / 2**BITS).astype(np.complex64)  # level g adds the phase 2 pi g / 2^BITS


def show(levels, exposure):
    """Shows levels [frames, height, width] (first row the top, first column the left), each until it has settled, and returns the light in
    the zero order of each, in units of the camera's full scale, dark level taken off, and whether any camera pixel was saturated."""
    # --- Fill in: write each frame to the modulator, wait, take an image, subtract the dark level, sum the region of interest. ---
    fields = PHASES[levels.reshape(len(levels), -1)].sum(axis=1) / (WIDTH * HEIGHT)
    light = exposure * np.abs(fields.astype(complex)) ** 2
    codes = 2**CAMERA_BITS - 1
    return np.floor(np.clip(light, 0, 1) * codes + 0.5) / codes, light >= 1
    # -------------------------------------------------------------------------------------------------------------------------------


HELLO = {
    "protocol": "equilux-laboratory/1",
    "kind": "frames",
    "name": "bench.py",
    "session": uuid.uuid4().hex[:8],
    "panel": {"width": WIDTH, "height": HEIGHT, "bits": BITS},
    "camera": {"bits": CAMERA_BITS},
    "regions": 1,
    "max_frames": FRAMES_A_REQUEST,
    "frame_rate_Hz": FRAMES_A_SECOND,
}


class Refused(Exception):
    """Why something is not done: a code (saturated, busy, range, interlock, unsupported, fatal) and words."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def answer(request, arrays):
    """The fields and the arrays of the answer to a request."""
    what = request.get("do")
    if what == "hello":
        if request.get("protocol") != HELLO["protocol"]:
            raise Refused("unsupported", f"expected {HELLO['protocol']}")
        return HELLO, {}
    if what == "state":
        return {"session": HELLO["session"], "revision": 0, "expense": {}}, {}
    if what in ("ping", "bye"):
        return {}, {}
    if what != "show":
        raise Refused("unsupported", f"{what}: this bench can show")
    levels = arrays.get("levels")
    if levels is None or levels.shape[1:] != (HEIGHT, WIDTH) or len(levels) > FRAMES_A_REQUEST:
        raise Refused("range", f"expected levels of at most {FRAMES_A_REQUEST} x {HEIGHT} x {WIDTH}")
    intensities, saturated = show(levels, request.get("exposure", 1.0))
    column = (len(levels), 1)
    return {}, {"intensities": np.reshape(intensities, column).astype("<f8"), "saturated": np.reshape(saturated, column).astype("<u1")}


def serve(source, sink):
    """Answers one request after another: a line of JSON, then the bytes of its arrays. They all lie in the same memory, until the
    next request: fresh memory would cost more time than the pipe."""
    memory = bytearray()
    while line := source.readline(1 << 16):
        request = json.loads(line)
        arrays, count, at = {}, request.get("bytes", 0), 0
        if count > len(memory):
            memory = bytearray(count)
        if source.readinto(memoryview(memory)[:count]) < count:
            return
        for told in request.get("arrays", []):
            dtype, shape = np.dtype(told["dtype"]), told["shape"]
            arrays[told["name"]] = np.frombuffer(memory, dtype, int(np.prod(shape)), at).reshape(shape)
            at += arrays[told["name"]].nbytes
        fields, found = {}, {}
        try:
            fields, found = answer(request, arrays)
            fields = {"ok": True, **fields}
        except Refused as refusal:
            fields = {"ok": False, "code": refusal.code, "message": str(refusal)}
        except Exception as error:  # whatever the instruments say
            fields = {"ok": False, "code": "fatal", "message": repr(error)}
        reply = {"id": request["id"], **fields}
        if found:
            # numpy writes bytes as |u1, the protocol as <u1.
            told = [{"name": name, "dtype": a.dtype.str.replace("|", "<"), "shape": a.shape} for name, a in found.items()]
            reply |= {"arrays": told, "bytes": sum(a.nbytes for a in found.values())}
        sink.write(json.dumps(reply).encode() + b"\n" + b"".join(a.tobytes() for a in found.values()))
        sink.flush()
        if request.get("do") == "bye":
            return


def standard_streams():
    """Standard input and output for the wire alone: what drivers print goes to standard error from now on."""
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return sys.stdin.buffer, sink


def main(streams=None):
    """Serves on standard input and output, or one client after another at the address in the first argument."""
    if len(sys.argv) < 2:
        return serve(*(streams or standard_streams()))
    host, port = sys.argv[1].rsplit(":", 1)
    with socket.create_server((host, int(port))) as server:
        print(f"listening on {host}:{server.getsockname()[1]}", file=sys.stderr, flush=True)
        while True:
            client = server.accept()[0]
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client, client.makefile("rb") as source, client.makefile("wb") as sink:
                serve(source, sink)


if __name__ == "__main__":
    main()
