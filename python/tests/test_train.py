"""Training: the same bits as the command line, callbacks, interruptions, data of one's own."""

import hashlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import equilux as eq


def command(*arguments, cwd=None):
    """The command line, as the wheel brings it."""
    done = subprocess.run(
        [sys.executable, "-m", "equilux", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
    )
    return done


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "name, settings",
    [
        ("digits-crossbar", {"training.epochs": 2}),
        ("wine-spim", {"training.epochs": 2}),
        ("digits-pulsed", {"training.epochs": 1}),
    ],
)
def test_the_same_bits_as_the_command_line(tmp_path, name, settings):
    run = eq.train(name, out=tmp_path / "python", set=settings, progress=False)
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    done = command("train", name, "--out", tmp_path / "command", *options)
    assert done.returncode == 0, done.stderr
    for file in ["metrics.csv", "checkpoint.safetensors", "config.toml"]:
        assert digest(tmp_path / "python" / file) == digest(tmp_path / "command" / file), file
    assert (tmp_path / "python" / "report.html").exists()
    assert len(run.history) == settings["training.epochs"]
    assert f"{100 * run.test_accuracy:.2f} %" in done.stdout


def test_a_run_says_what_came_of_it(tmp_path, small):
    run = eq.train(small, out=tmp_path / "run", progress=False)
    assert run.directory == tmp_path / "run"
    assert "3 epochs" in repr(run) and "exact arrays" in repr(run)
    assert run.history[-1].test_accuracy == run.test_accuracy
    assert list(run.metrics["epoch"]) == [1, 2, 3]
    assert "test" in repr(run.history[0]) and run.history[0]["epoch"] == 1
    again = eq.read_run(tmp_path / "run")
    assert again.summary == run.summary and again.history == run.history
    assert all(
        np.array_equal(again.machine.parameters[name], run.machine.parameters[name])
        for name in run.machine.parameters
    )
    assert run.evaluate()["test_accuracy"] == run.test_accuracy
    assert "test_accuracy" in run.evaluate(device="crossbar-generic")


def test_callbacks_hear_every_epoch_on_the_calling_thread(small):
    heard = []
    eq.train(
        small,
        out=False,
        callback=lambda epoch: heard.append((epoch.epoch, threading.get_ident())),
    )
    assert heard == [(epoch, threading.get_ident()) for epoch in (1, 2, 3)]


def test_what_a_callback_raises_ends_training_and_the_run_goes_on(tmp_path, small):
    class Enough(Exception):
        pass

    def stop(epoch):
        if epoch.epoch == 2:
            raise Enough

    with pytest.raises(Enough):
        eq.train(small, epochs=4, out=tmp_path / "stopped", callback=stop)
    eq.train(small, epochs=4, out=tmp_path / "stopped", resume=True)
    eq.train(small, epochs=4, out=tmp_path / "whole")
    for file in ["metrics.csv", "checkpoint.safetensors"]:
        assert digest(tmp_path / "stopped" / file) == digest(tmp_path / "whole" / file)


def test_ctrl_c_leaves_a_checkpoint_to_go_on_from(tmp_path):
    settings = {"layers": [64, 256, 10], "data__set": "digits", "batch": 1, "epochs": 40}
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt, match="goes on to the same bits"):
        eq.train({}, out=tmp_path / "run", progress=False, **settings)
    timer.join()
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()
    epochs = settings["epochs"] = len(eq.read_run(tmp_path / "run").history) + 1
    resumed = eq.train({}, out=tmp_path / "run", resume=True, progress=False, **settings)
    assert len(resumed.history) == epochs
    eq.train({}, out=tmp_path / "whole", progress=False, **settings)
    for file in ["metrics.csv", "checkpoint.safetensors"]:
        assert digest(tmp_path / "run" / file) == digest(tmp_path / "whole" / file)


def test_data_of_ones_own_are_kept_with_the_run(tmp_path, small, wine):
    X, y = wine
    named = np.array(["red", "white", "pink"])[y]
    run = eq.train(small, X=X, y=named, out=tmp_path / "run", progress=False)
    assert run.classes == ["pink", "red", "white"]
    assert run.score(X, named) > 0.9 and set(run.predict(X)) <= set(run.classes)
    memory = eq.train(small, X=X, y=named, out=False)
    assert memory.directory is None
    assert memory.history == run.history
    assert np.array_equal(memory.predict(X), run.predict(X))
    # The directory runs as it stands.
    done = command("train", tmp_path / "run" / "config.toml", "--out", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    for file in ["metrics.csv", "checkpoint.safetensors"]:
        assert digest(tmp_path / "run" / file) == digest(tmp_path / "again" / file)
    assert eq.read_run(tmp_path / "run").classes == run.classes
    with pytest.raises(ValueError, match="other data than are given now"):
        eq.train(small, X=X + 1, y=named, out=tmp_path / "run", resume=True, epochs=4)
    longer = eq.train(small, X=X, y=named, out=tmp_path / "run", resume=True, epochs=4)
    assert longer.history[:3] == run.history


def test_the_same_data_by_name_or_by_hand(small, wine):
    by_name = eq.train(small, out=False)
    by_hand = eq.train(small, X=wine[0], y=wine[1], out=False)
    assert by_hand.history == by_name.history
    assert by_hand.classes == by_name.classes == [0, 1, 2]


def test_runs_are_pickled(small, wine):
    run = eq.train(small, X=wine[0], y=wine[1], out=False)
    again = pickle.loads(pickle.dumps(run))
    assert np.array_equal(again.predict(wine[0]), run.predict(wine[0]))
    assert again.history == run.history and repr(again) == repr(run)


def test_results_do_not_depend_on_threads(small):
    eq.threads(1)
    one = eq.train("digits-crossbar", epochs=1, out=False, progress=False)
    eq.threads(0)
    all_cores = eq.train("digits-crossbar", epochs=1, out=False, progress=False)
    assert one.history == all_cores.history


def test_the_command_line_comes_along(tmp_path):
    listed = command("devices")
    assert listed.returncode == 0 and "spim-laboratory" in listed.stdout
    wrong = command("train", "wine-spin", cwd=tmp_path)
    assert wrong.returncode == 2 and "did you mean `wine-spim`?" in wrong.stderr
    assert command("--help").returncode == 0


def test_an_installed_package_brings_the_console_command():
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        scripts = distribution("equilux-sim").entry_points
    except PackageNotFoundError:
        pytest.skip("the package is not installed, only on the path")
    assert any(script.name == "equilux" for script in scripts)
    done = subprocess.run(
        [Path(sys.executable).parent / "equilux", "--version"], capture_output=True, text=True
    )
    assert done.returncode == 0 and eq.__version__ in done.stdout


def regression(**keys):
    return {
        "data": {"task": "regression", **keys},
        "network": {"layers": [13, 8, 1]},
        "training": {"epochs": 20},
    }


def test_numbers_are_learnt_as_on_the_command_line(tmp_path):
    X, y = eq.load_data("wine", label="proline", task="regression")
    of_file = eq.train(regression(set="wine", label="proline"), out=tmp_path / "file")
    run = eq.train(regression(), X=X, y=y, out=tmp_path / "own")
    assert run.test_r2 == of_file.test_r2 and run.history == of_file.history
    assert run.targets == ["y"] and of_file.targets == ["proline"] and run.classes is None
    assert "R2" in repr(run) and "R2" in repr(run.history[0])
    assert run.score(X, y) > 0.5 and run.predict(X).shape == y.shape
    with pytest.raises(AttributeError, match="it has test_r2"):
        assert run.test_accuracy
    machine = eq.Machine(tmp_path / "own")
    assert np.array_equal(machine.predict(run.scale(X)), run.predict(X))
    shown = machine.targets(y)
    assert shown.shape == (178, 1) and shown.max() <= 1.5
    found = machine.gradient(run.scale(X)[:32], y[:32])
    assert found.cosine(machine.gradient(run.scale(X)[:32], y[:32], rule="adjoint")) > 0.9
    with pytest.raises(ValueError, match="has not been trained"):
        eq.Machine(regression(set="wine", label="proline")).predict(run.scale(X))
    again = eq.read_run(tmp_path / "own")
    assert np.array_equal(again.predict(X), run.predict(X))
    assert again.evaluate()["test_rmse"] == run.summary["test_rmse"]
    run.export(tmp_path / "export", to="npz")
    verified = eq.verify(tmp_path / "export")
    assert verified["ok"] and verified["test_r2"] == pytest.approx(run.test_r2)


def test_targets_of_a_table_keep_their_names():
    pandas = pytest.importorskip("pandas")
    X, y = eq.load_data("wine", label=["proline", "hue"], task="regression")
    config = regression()
    config["network"]["layers"] = [12, 8, 2]
    table = pandas.DataFrame(y, columns=["proline", "hue"])
    run = eq.train(config, X=X, y=table, out=False)
    assert run.targets == ["proline", "hue"] and run.predict(X).shape == (178, 2)


def test_numbers_of_another_kind_are_refused(wine):
    X, y = wine
    with pytest.raises(ValueError, match='data.task = "regression"'):
        eq.train({"network": {"layers": [13, 4, 3]}}, X=X, y=X[:, 0], out=False)
    for bad, words in [
        (np.where(y > 1, np.nan, y), "y: row .*, column 0: expected a finite number"),
        (y[:-1], "targets of 177 samples, X has 178"),
        (np.zeros(178), "target `y` is 0 in every sample"),
        (np.array(["a"] * 178), "dtype"),
        (y[:, None, None], "expected samples x targets"),
    ]:
        with pytest.raises(ValueError, match=words):
            eq.train(regression(), X=X, y=bad, out=False)
