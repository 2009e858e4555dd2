"""Studies, exports, datasheets, data."""

import os
import signal
import threading

import numpy as np
import pytest

import equilux as eq

STUDY = """
title = "How much read noise?"
seeds = 2
[[axis]]
key = "device.crossbar.read_noise.sd_uS"
values = [0.0, 0.5]
[experiment]
network.layers = [13, 6, 3]
training.epochs = {epochs}
device.crossbar.cells.weight_max = 2.0
"""


def test_a_study_is_swept_and_read(tmp_path):
    (tmp_path / "noise.toml").write_text(STUDY.format(epochs=1))
    study = eq.sweep(tmp_path / "noise.toml", out=tmp_path / "out", progress=False)
    assert study.runs == 4 and not study.failed and study.title == "How much read noise?"
    rows = study.results
    assert list(rows["device.crossbar.read_noise.sd_uS"]) == [0.0, 0.0, 0.5, 0.5]
    points = study.points()
    for _, point in points.iterrows():
        of = rows[
            rows["device.crossbar.read_noise.sd_uS"] == point["device.crossbar.read_noise.sd_uS"]
        ]
        assert point["mean"] == pytest.approx(of["test_accuracy"].mean())
        assert point["deviation"] == pytest.approx(of["test_accuracy"].std())
    again = eq.read_study(tmp_path / "out")
    assert again.results.equals(rows) and "4 of 4 runs ended" in repr(again)
    assert again.report().exists()
    with pytest.raises(ValueError, match="result = 'accuracy': expected one of"):
        again.points("accuracy")
    with pytest.raises(ValueError, match="did you mean"):
        (tmp_path / "wrong.toml").write_text(STUDY.format(epochs=1).replace("seeds", "seed"))
        eq.sweep(tmp_path / "wrong.toml")


def test_ctrl_c_ends_a_sweep_that_goes_on_later(tmp_path):
    text = STUDY.format(epochs=30).replace("seeds = 2", "seeds = 30")
    (tmp_path / "long.toml").write_text(text)
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        eq.sweep(tmp_path / "long.toml", out=tmp_path / "out", jobs=1, progress=False)
    timer.join()
    ended = len(eq.read_study(tmp_path / "out").results)
    assert 0 < ended < 60


def test_a_run_is_exported_and_verified(tmp_path):
    run = eq.train("wine-spim", epochs=2, out=tmp_path / "run", progress=False)
    done = run.export(tmp_path / "maps", to="slm")
    assert done["expected"]["samples"] == 36 and all(os.path.exists(file) for file in done["files"])
    found = eq.verify(tmp_path / "maps")
    assert found["ok"] and found["problems"] == []
    assert found["test_accuracy"] == done["expected"]["accuracy"]
    # The machine of the run, in memory, is exported alike.
    by_machine = run.machine.export(tmp_path / "maps-2", to="slm")
    assert by_machine["expected"] == done["expected"]
    mask = next(file for file in done["files"] if file.endswith(".png") and "contact" not in file)
    with open(mask, "ab") as file:
        file.write(b"x")
    broken = eq.verify(tmp_path / "maps")
    assert not broken["ok"] and os.path.basename(mask) in " ".join(broken["problems"])
    for options, words in [
        ({"to": "plotter"}, 'to = "plotter": expected one of crossbar, slm'),
        ({"to": "crossbar"}, "--to crossbar: this run is on"),
        ({"to": "slm", "sign": "up"}, 'sign = "up"'),
        ({"to": "slm", "carrier": (0.9, 0)}, "carrier = "),
    ]:
        with pytest.raises(ValueError, match=words):
            run.export(tmp_path / "maps-3", **options)
    assert eq.report(run.directory) == run.report()


def test_weights_go_out_and_in(tmp_path, small, wine):
    run = eq.train(small, out=tmp_path / "run", progress=False)
    run.export(tmp_path / "weights", to="safetensors")
    fresh = eq.Machine(small)
    fresh.load(tmp_path / "weights" / "weights.safetensors")
    X = run.scale(wine[0])
    assert np.array_equal(fresh.settle(X).values, run.machine.settle(X).values)


def test_datasheets():
    assert "spim-laboratory" in eq.devices()
    sheet = eq.device("spim-laboratory")
    assert sheet.kind == "spim" and sheet["camera.bits"].value > 0
    assert sheet["camera.bits"].source and sheet.assumed
    assert "numbers" in repr(sheet) and "<table>" in sheet._repr_html_()


def test_data_sets():
    X, y = eq.load_data("digits")
    assert X.shape == (1797, 64) and X.flags.c_contiguous and set(y.tolist()) == set(range(10))
    with pytest.raises(ValueError, match="nothing"):
        eq.load_data("nothing")


def test_experiments_as_dictionaries_and_text(tmp_path):
    wine = eq.experiment("wine-spim", seed=5)
    assert wine["seed"] == 5 and "wine-spim: 13-5-3 by ep" in repr(wine)
    assert eq.experiment(wine.to_dict()) == wine
    path = tmp_path / "mine.toml"
    path.write_text(wine.to_toml())
    assert eq.experiment(path) == wine and eq.experiment(path).name == "mine"
    changed = wine.changed(device__spim__camera__bits=10, epochs=3)
    assert changed["device"]["spim"]["camera"]["bits"] == 10
    assert changed["training"]["epochs"] == 3 and wine["training"]["epochs"] == 40
    assert changed.on_device("exact")["device"] == "exact"
    tables = eq.experiment("wine-spim", learning={"beta": 0.25})
    assert tables["learning"]["beta"] == 0.25 and tables["learning"]["rule"] == "ep"
    assert eq.shipped() == sorted(eq.shipped()) and "mnist-256" in eq.shipped()
