"""Laboratories in Python, and simulated ones for slmsuite."""

import json

import numpy as np
import pytest

import equilux as eq

#: Five masks between five nodes on an ideal panel of 40 x 40 pixels.
OPTICS = {
    "seed": 2,
    "data": {"set": "wine", "test_fraction": 0.8},
    "network": {"layers": [13, 3], "topology": "all-to-all"},
    "device": {"spim": {"sheet": "ideal-slm", "patterns": {"count": 1}}},
    "relaxation": {"max_steps": 30, "tolerance": 1e-2},
    "training": {"epochs": 1, "batch": 8},
}
ARRAY = {
    "seed": 2,
    "precision": "f64",
    "data": {"set": "wine", "test_fraction": 0.5},
    "network": {"layers": [13, 3]},
    "device": {"crossbar": {"sheet": "ideal-crossbar"}},
    "training": {"epochs": 1},
}


class Bench(eq.lab.Frames):
    """An ideal lens behind an ideal modulator."""

    panel, bits, camera_bits = (40, 40), 8, 16
    shown = 0

    def show(self, levels, exposure):
        self.shown += len(levels)
        phases = np.exp(2j * np.pi * levels.reshape(len(levels), -1) / 256)
        return exposure * abs(phases.mean(axis=1)) ** 2


class Cells(eq.lab.Array):
    """Cells that are what they are set to."""

    rows, columns, g_min_uS, g_max_uS = 6, 14, 0.0, 25.0

    def program(self, conductances):
        self.conductances = conductances.copy()

    def read(self, volts, reversed):
        return volts @ (self.conductances if reversed else self.conductances.T)


def test_a_bench_of_ten_lines_is_trained_on():
    bench = Bench()
    run = eq.train(OPTICS, laboratory=bench, out=False)
    assert bench.shown > 1000
    # Those of the evaluation come on top.
    assert 1000 < run.summary["lab"]["frames"] < bench.shown
    assert len(run.history) == 1 and run.history[0].unsettled < 20
    # What was learnt is in the simulated machine, too.
    assert run.machine.settle(np.zeros((2, 13))).outputs.shape == (2, 3)


def test_an_array_in_python_is_the_simulated_one():
    here = eq.train(ARRAY, out=False)
    there = eq.train(ARRAY, laboratory=Cells(), out=False)
    for name, values in here.machine.parameters.items():
        assert np.allclose(there.machine.parameters[name], values, rtol=0, atol=1e-9), name
    assert there.test_accuracy == here.test_accuracy


def test_a_trained_machine_is_evaluated_on_a_bench(tmp_path):
    run = eq.train(ARRAY, out=tmp_path / "run")
    cells = Cells()
    assert run.evaluate(laboratory=cells)["test_accuracy"] == run.test_accuracy
    real = eq.Machine(tmp_path / "run", laboratory=cells)
    x = np.linspace(-1, 1, 26).reshape(2, 13)
    assert np.allclose(real.settle(x).outputs, run.machine.settle(x).outputs, atol=1e-9)


def test_an_array_is_pulsed_once_for_a_nonce():
    class Steps(Cells):
        def pulse(self, counts):
            self.conductances += 0.1 * counts

    cells = Steps()
    cells.program(np.full((6, 14), 10.0))
    counts = np.zeros((6, 14))
    counts[2, 3] = -4
    for _ in range(2):
        asked = json.dumps({"do": "pulse", "nonce": "a", "revision": 2})
        told, _ = cells._answer(asked, [("counts", counts)])
        assert json.loads(told) == {"ok": True, "done": True}
    assert cells.conductances[2, 3] == pytest.approx(9.6)
    with pytest.raises(eq.lab.Refused, match="not pulsed"):
        Cells()._answer(asked, [("counts", counts)])


def test_what_an_instrument_says_is_heard():
    class Locked(Bench):
        def show(self, levels, exposure):
            raise eq.lab.Refused("interlock", "the shutter is shut")

    with pytest.raises(RuntimeError, match="the shutter is shut"):
        eq.train(OPTICS, laboratory=Locked(), out=False)

    class Broken(Bench):
        def show(self, levels, exposure):
            return np.zeros(len(levels) + 1)

    with pytest.raises(RuntimeError, match="intensities of shape .*: expected"):
        eq.train(OPTICS, laboratory=Broken(), out=False)

    class Small(Bench):
        panel = (2, 2)

    with pytest.raises(ValueError, match="2 x 2"):
        eq.train(OPTICS, laboratory=Small(), out=False)


def test_what_is_no_laboratory_is_refused():
    with pytest.raises(ValueError, match="expected an equilux.lab.Frames or Array"):
        eq.train(OPTICS, laboratory=Bench, out=False)
    with pytest.raises(ValueError, match="address"):
        eq.lab.serve(Bench(), "nowhere")


def test_a_served_bench_is_reached_by_its_address():
    bench = Bench()
    address = eq.lab.place(bench)
    assert address == eq.lab.place(bench)
    machine = eq.Machine(OPTICS, laboratory=address)
    assert machine.settle(np.zeros((1, 13))).values.shape == (1, 3)
    assert bench.shown > 0


def test_slmsuite_sees_the_simulated_optics():
    pytest.importorskip("slmsuite")
    slm = eq.slmsuite.SLM(
        "ideal-slm", device__spim__panel__width_px=40, device__spim__panel__height_px=40
    )
    camera = eq.slmsuite.Camera(slm)
    rows, columns = np.mgrid[:40, :40]
    # A blaze: five orders down, three to the right.
    slm.set_phase(2 * np.pi * (5 * rows + 3 * columns) / 40)
    image = camera.get_image()
    assert np.unravel_index(np.argmax(image), image.shape) == (25, 23)


def test_hello_is_that_of_the_protocol():
    told = json.loads(Bench()._hello())
    assert told["kind"] == "frames" and told["panel"] == {"width": 40, "height": 40, "bits": 8}
    assert json.loads(Cells()._hello())["rows"] == 6
