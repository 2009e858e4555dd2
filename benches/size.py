"""Time and memory of a training sample against the hidden size and the batch, as a table.

    cargo build --release
    EQUILUX_DATA=DIR python3 benches/size.py [--method time-steps|layer-by-layer]

A feedforward network 784-N-10 of exact arrays on MNIST (configs/mnist-256.toml) in single precision, one thread; memory is the largest
resident size of the whole process, the data set of 47 million numbers included.
"""
import argparse
import json
import resource
import subprocess
import tempfile

SIZES = [128, 256, 512, 1024, 2048, 4096, 8192]
BATCHES = [1, 16, 64, 256, 1024]


def microseconds(hidden, batch, method):
    samples = min(20_000, max(256, 4_000_000 // hidden // (4 if batch < 16 else 1)))
    with tempfile.TemporaryDirectory() as directory:
        command = ["target/release/equilux", "train", "configs/mnist-256.toml", "--json", "--threads", "1", "--out", f"{directory}/run"]
        for setting in [f"network.layers=[784,{hidden},10]", f"training.batch={batch}", f"data.train_limit={samples}",
                        "training.epochs=1", f"relaxation.method={method}"]:
            command += ["--set", setting]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return 1e6 / json.loads(output)["samples_per_second"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", default="time-steps")
    arguments = parser.parse_args()
    print("| hidden nodes | " + " | ".join(f"batch {batch}" for batch in BATCHES) + " | memory |")
    print("|---" * (len(BATCHES) + 2) + "|")
    for hidden in SIZES:
        times = [microseconds(hidden, batch, arguments.method) for batch in BATCHES]
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(f"| {hidden} | " + " | ".join(f"{time:,.0f} µs" for time in times) + f" | {memory:,.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
