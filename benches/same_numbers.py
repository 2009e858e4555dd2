"""Do two binaries compute the same numbers? Trains every shipped experiment with both and compares metrics.csv, digit by digit.

    python3 benches/same_numbers.py OLD_BINARY OLD_CONFIGS NEW_BINARY NEW_CONFIGS --data DIR [--cache DIR] [--only NAME,...] [--jobs N]
    python3 benches/same_numbers.py OLD_BINARY OLD_CONFIGS NEW_BINARY NEW_CONFIGS --data DIR --speed [--rounds N] [--only NAME,...]

Each experiment (the *.toml that stand in both directories) is trained with the seeds 1 and 7 on one thread, two epochs, or what LENGTHS
says. Columns that only one of the two writes are named and not compared. Exit status 1 if a number differs, 2 if a run fails.

--cache keeps what the old binary wrote, under a name made of the binary, the configuration and the settings: it is asked once.
--speed times both in turn instead, and prints the medians of their user seconds, of the ratio, new over old, of each round, and the
ratio of the least of each, which other work on the machine moves least.
"""
import argparse
import concurrent.futures
import csv
import hashlib
import io
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SEEDS = [1, 7]
# epochs, and the training samples of an epoch where a whole one is slow; test sets are always whole
DEFAULT = (2, None)
LENGTHS = {
    "mnist-256": (1, None),
    "mnist-512": (1, None),
    "mnist-crossbar": (1, 10_000),
    "mnist-recurrent": (1, 10_000),
    "mnist-spim-generic": (1, 4_000),
    "mnist-spim": (1, 4_000),
}
# what --speed times
SPEEDS = {"mnist-256": (1, 10_000), "wine-spim": (3, None), "digits-crossbar": (5, None)}


def settings(length, seed):
    epochs, limit = length
    limits = [f"data.train_limit={limit}"] if limit else []
    return [f"seed={seed}", f"training.epochs={epochs}", *limits]


def train(binary, config, chosen):
    """The metrics.csv of a run, or the message of its failure, and seconds of the wall's clock."""
    with tempfile.TemporaryDirectory() as directory:
        command = [binary, "train", str(config), "--threads", "1", "--out", f"{directory}/run"]
        command += [word for setting in chosen for word in ("--set", setting)]
        start = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        seconds = time.monotonic() - start
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr.strip()}")
        return (pathlib.Path(directory) / "run/metrics.csv").read_text(), seconds


def remembered(cache, binary, digest, config, chosen):
    """As `train`, asked once a cache."""
    if not cache:
        return train(binary, config, chosen)
    key = hashlib.sha256(repr((digest, config.read_text(), chosen)).encode()).hexdigest()[:16]
    kept = cache / f"{config.stem}-{key}.csv"
    if kept.exists():
        return kept.read_text(), 0.0
    text, seconds = train(binary, config, chosen)
    whole = kept.with_suffix(f".{os.getpid()}")
    whole.write_text(text)
    whole.rename(kept)
    return text, seconds


def difference(old, new):
    """The first number that differs, or None; and the columns that are not in both."""
    old, new = (list(csv.DictReader(io.StringIO(text))) for text in (old, new))
    if not old or not new:
        return f"{len(old)} and {len(new)} rows", []
    alone = [f"{name} (old)" for name in old[0] if name not in new[0]]
    alone += [f"{name} (new)" for name in new[0] if name not in old[0]]
    common = [name for name in old[0] if name in new[0]]
    if not common:
        return "no column is in both", alone
    for row, (a, b) in enumerate(zip(old, new), start=1):
        for name in common:
            if a[name] != b[name]:
                return f"row {row}, {name}: {a[name]} and {b[name]}", alone
    if len(old) != len(new):
        return f"{len(old)} and {len(new)} rows", alone
    return None, alone


def compare(arguments, names):
    digest = hashlib.sha256(pathlib.Path(arguments.old_binary).read_bytes()).hexdigest()

    def one(job):
        name, seed = job
        chosen = settings(LENGTHS.get(name, DEFAULT), seed)
        file = f"{name}.toml"
        try:
            old, old_seconds = remembered(
                arguments.cache, arguments.old_binary, digest, arguments.old_configs / file, chosen)
            new, new_seconds = train(arguments.new_binary, arguments.new_configs / file, chosen)
        except RuntimeError as error:
            return 2, "failed", str(error), [], (0.0, 0.0)
        found, alone = difference(old, new)
        return (1, "DIFFERS", found, alone, (old_seconds, new_seconds)) if found else (
            0, "same", "", alone, (old_seconds, new_seconds))

    jobs = [(name, seed) for name in names for seed in SEEDS]
    status, start = 0, time.monotonic()
    print(f"{'experiment':24} seed  {'old':>8} {'new':>8}  numbers")
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for (name, seed), (code, verdict, found, alone, (old, new)) in zip(jobs, pool.map(one, jobs)):
            status = max(status, code)
            asked = f"{old:7.1f}s" if old else "kept"
            notes = f"; not compared: {', '.join(alone)}" if alone else ""
            print(f"{name:24} {seed:4}  {asked:>8} {new:7.1f}s  {verdict}{': ' if found else ''}{found}{notes}", flush=True)
    print(f"{len(jobs)} runs of each in {time.monotonic() - start:.0f} s")
    return status


def user_seconds(binary, config, chosen):
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    train(binary, config, chosen)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before


def speed(arguments, names):
    print(f"{'experiment':24} {'old':>8} {'new':>8}  {'ratio':>6} {'least':>6}  user seconds, {arguments.rounds} rounds")
    for name in names:
        chosen, file = settings(SPEEDS[name], 1), f"{name}.toml"
        old = lambda: user_seconds(arguments.old_binary, arguments.old_configs / file, chosen)
        new = lambda: user_seconds(arguments.new_binary, arguments.new_configs / file, chosen)
        old(), new()  # binaries and data come into memory
        rounds = []
        for round in range(arguments.rounds):
            # Neighbours in time, and neither always the first.
            if round % 2 == 0:
                a = old()
                rounds.append((a, new()))
            else:
                b = new()
                rounds.append((old(), b))
        a, b = (statistics.median(column) for column in zip(*rounds))
        ratios = sorted(b / a for a, b in rounds)
        least = min(b for _, b in rounds) / min(a for a, _ in rounds)
        print(f"{name:24} {a:7.2f}s {b:7.2f}s  {statistics.median(ratios):6.3f} {least:6.3f}  ratios {ratios[0]:.3f} to {ratios[-1]:.3f}", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for which in ("old", "new"):
        parser.add_argument(f"{which}_binary")
        parser.add_argument(f"{which}_configs", type=pathlib.Path)
    parser.add_argument("--data", help="the store of data sets with mnist/ ($EQUILUX_DATA)")
    parser.add_argument("--cache", type=pathlib.Path, help="where the old binary's results are kept")
    parser.add_argument("--only", help="names of experiments, with commas between")
    parser.add_argument("--jobs", type=int, default=1, help="runs at a time")
    parser.add_argument("--speed", action="store_true", help="time both instead")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    for binary in ("old_binary", "new_binary"):
        path = shutil.which(getattr(arguments, binary)) or parser.error(f"{getattr(arguments, binary)}: no such program")
        setattr(arguments, binary, os.path.abspath(path))
    if arguments.data:
        os.environ["EQUILUX_DATA"] = os.path.abspath(arguments.data)
    if arguments.cache:
        arguments.cache.mkdir(parents=True, exist_ok=True)

    old, new = ({path.stem for path in configs.glob("*.toml")} for configs in (arguments.old_configs, arguments.new_configs))
    for names, which in ((old - new, "old"), (new - old, "new")):
        if names:
            print(f"not compared, only in the {which} directory: {', '.join(sorted(names))}")
    names = [name for name in SPEEDS if name in old & new] if arguments.speed else sorted(old & new)
    if arguments.only:
        asked = arguments.only.split(",")
        unknown = [name for name in asked if name not in names]
        if unknown:
            parser.error(f"--only {','.join(unknown)}: expected some of {', '.join(names)}")
        names = asked
    if not names:
        parser.error("no experiment stands in both directories")
    return (speed if arguments.speed else compare)(arguments, names)


if __name__ == "__main__":
    sys.exit(main())
