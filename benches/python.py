"""What calling from Python costs: ratios, measured in turns.

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


def compared(what: str, python: list[float], library: list[float]) -> None:
    """Fastest against fastest, which what else the cores do disturbs least, and typical against
    typical."""
    fastest = min(python) / min(library)
    typical = statistics.median(python) / statistics.median(library)
    print(f"{what}: fastest {fastest:.3f}, median {typical:.3f} of {len(python)}", flush=True)


def training() -> None:
    ways = {by_command: [], by_python: []}
    with tempfile.TemporaryDirectory() as place:
        for pair in range(PAIRS):
            for way in list(ways) if pair % 2 else reversed(ways):
                ways[way].append(way(Path(place) / f"{pair}-{way.__name__}"))
    seconds = [[1 / speed for speed, _ in found] for found in (ways[by_python], ways[by_command])]
    compared("mnist-256, eq.train / equilux train, seconds a sample", *seconds)
    walls = [[wall for _, wall in found] for found in (ways[by_python], ways[by_command])]
    compared("... seconds in all, start, data and evaluation included", *walls)


def settling(config: str | dict, pairs: int) -> None:
    X, _ = eq.load_data("digits")
    X = (X - X.mean(axis=0)) / X.std(axis=0).clip(1e-9)
    X, machine = X[:512].copy(), eq.Machine(config)
    python, library = [], []
    for _ in range(pairs):
        begin = time.perf_counter()
        machine.settle(X).outputs
        python.append(time.perf_counter() - begin)
        library.append(machine._content.seconds_of_settling(X, 1))
    name = f"settle of 512 digits, {machine.description} ({1e3 * min(library):.2f} ms)"
    compared(f"{name}, Python / Rust", python, library)


settling("digits-crossbar", 40 * PAIRS)
exact = {"network": {"layers": [64, 48, 32, 10]}, "relaxation": {"step": 1.0, "max_steps": 12}}
settling(exact, 200 * PAIRS)
training()
