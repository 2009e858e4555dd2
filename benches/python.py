"""What calling from Python costs: ratios, each of pairs that were measured one after the other.

    python3 benches/python.py [PAIRS]

Needs the package `equilux-sim` and, for training, MNIST (`equilux data fetch mnist`).
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import equilux as eq

PAIRS = int(sys.argv[1]) if len(sys.argv) > 1 else 5


def by_command(place: Path) -> tuple[float, float]:
    """Samples a second and seconds in all of the command line, one epoch."""
    begin = time.perf_counter()
    words = [sys.executable, "-m", "equilux", "train", "mnist-256", "--set", "training.epochs=1"]
    done = subprocess.run([*words, "--out", place, "--json"], capture_output=True, check=True)
    seconds = time.perf_counter() - begin
    return json.loads(done.stdout)["samples_per_second"], seconds


def by_python(place: Path) -> tuple[float, float]:
    """The same of `eq.train`, with a callback and a bar."""
    begin = time.perf_counter()
    run = eq.train("mnist-256", epochs=1, out=place, callback=lambda epoch: None, progress=True)
    return run.summary["samples_per_second"], time.perf_counter() - begin


def spread(ratios: list[float]) -> str:
    ratios = sorted(ratios)
    return f"median {statistics.median(ratios):.3f} of {len(ratios)}, {ratios[0]:.3f} to {ratios[-1]:.3f}"


def training() -> None:
    speeds, walls = [], []
    with tempfile.TemporaryDirectory() as place:
        for pair in range(PAIRS):
            ways = [by_command, by_python] if pair % 2 else [by_python, by_command]
            found = {way: way(Path(place) / f"{pair}-{way.__name__}") for way in ways}
            (command, command_s), (python, python_s) = found[by_command], found[by_python]
            speeds.append(python / command)
            walls.append(python_s / command_s)
            print(f"  {python:,.0f} and {command:,.0f} samples a second", flush=True)
    print(f"eq.train over the command line, samples a second: {spread(speeds)}")
    print(f"... seconds in all, start and evaluation included: {spread(walls)}")


def settling(config: str, times: int) -> None:
    X, _ = eq.load_data("digits")
    X = (X - X.mean(axis=0)) / X.std(axis=0).clip(1e-9)
    X, machine = X[:512].copy(), eq.Machine(config)
    ratios = []
    for pair in range(4 * PAIRS):
        def python() -> float:
            begin = time.perf_counter()
            for _ in range(times):
                machine.settle(X).outputs
            return (time.perf_counter() - begin) / times

        def library() -> float:
            return machine._content.seconds_of_settling(X, times)

        first, second = (python, library) if pair % 2 else (library, python)
        found = {first: first(), second: second()}
        ratios.append(found[python] / found[library])
        last = found[python]
    name = machine.description
    print(f"settle of 512 digits, {name} ({1e3 * last:.2f} ms): {spread(ratios)}", flush=True)


settling("digits-crossbar", 10)
settling("digits-pcm", 10)
settling({"network": {"layers": [64, 48, 32, 10]}, "relaxation": {"step": 1.0, "max_steps": 12}}, 50)
training()
