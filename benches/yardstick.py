"""Runs a numpy yardstick of AsymEP on MNIST and equilux in turn, and prints the ratios of their training speeds.

    cargo build --release
    python3 benches/yardstick.py NUMPY_SCRIPT --data DIR_OF_MNIST [--rounds 3]

NUMPY_SCRIPT takes --data, --hidden, --noise, --bits and prints "... N samples/s" an epoch; DIR_OF_MNIST holds the four idx files, or a
directory mnist with them. Each process has one thread; ratios are of neighbours in time, and the median over the rounds is printed.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile

LAYERED = ["relaxation.method=layer-by-layer"]
DEEP = ["network.layers=[784,256,256,10]"]
NOISE = ["device.crossbar.read_noise.sd_uS=0.01", "measurement.bits=8"]
# what is compared, its settings here, the yardstick's options
CASES = [
    ("784-256-10, time steps", [], []),
    ("784-256-10, layer by layer", LAYERED, []),
    ("784-256-256-10, time steps", DEEP, ["--hidden", "256", "256"]),
    ("784-256-256-10, layer by layer", DEEP + LAYERED, ["--hidden", "256", "256"]),
    ("784-256-10, read noise and 8-bit reads", NOISE, ["--noise", "0.01", "--bits", "8"]),
]


def ours(settings, threads):
    with tempfile.TemporaryDirectory() as directory:
        command = ["target/release/equilux", "train", "configs/mnist-256.toml", "--json", "--threads", str(threads)]
        for setting in ["training.epochs=1", *settings]:
            command += ["--set", setting]
        output = subprocess.run([*command, "--out", f"{directory}/run"], capture_output=True, text=True, check=True).stdout
        return json.loads(output)["samples_per_second"]


def yardstick(script, data, options):
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = ["python3", script, "--data", data, "--epochs", "1", *options]
    output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return float(re.search(r"([\d,]+) samples/s", output).group(1).replace(",", ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("script")
    parser.add_argument("--data", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    data = os.path.join(arguments.data, "mnist") if os.path.isdir(os.path.join(arguments.data, "mnist")) else arguments.data
    os.environ["EQUILUX_DATA"] = arguments.data
    print(f"{'':42} {'equilux':>10} {'numpy':>10} {'ratio':>7} {'2 threads':>10}")
    for name, settings, options in CASES:
        rounds = [(ours(settings, 1), yardstick(arguments.script, data, options), ours(settings, 2)) for _ in range(arguments.rounds)]
        one, numpy, two = (statistics.median(column) for column in zip(*rounds))
        ratio = statistics.median(round[0] / round[1] for round in rounds)
        gain = statistics.median(round[2] / round[0] for round in rounds)
        print(f"{name:42} {one:>10,.0f} {numpy:>10,.0f} {ratio:>6.1f}x {gain:>9.2f}x", flush=True)


main()
