"""Exported netlists in ngspice: its currents are those of `equilux crossbar solve`."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from common import equilux, manifest

directory, solve = Path(sys.argv[2]), sys.argv[3:]
if shutil.which("ngspice") is None:
    print("skipped: wants ngspice")
    sys.exit()
count, worst = 0, 0.0
for held in manifest()["held"]:
    for tile in held.get("crossbar", {}).get("tiles", []):
        bench = directory / tile["plus"].replace(".plus.npy", ".bench.cir")
        rows = tile["inputs"][1] - tile["inputs"][0]
        # Whoever has a bench puts voltages of their own there.
        volts = np.linspace(-0.2, 0.2, rows) + 0.01
        drive = lambda found: f"V{found[1]} in{found[1]} 0 DC {volts[int(found[1])]:.17g}"
        text = re.sub(r"^V(\d+) in\d+ 0 DC \S+$", drive, bench.read_text(), flags=re.M)
        own = directory / "own.cir"
        own.write_text(text)
        np.save(directory / "volts.npy", volts[:, None])
        printed = subprocess.run(["ngspice", "-b", own.name], cwd=directory, capture_output=True, text=True).stdout
        for side in ["plus", "minus"]:
            theirs = np.array([float(number) for number in re.findall(rf"i\(vsense_{side}\d+\) = (\S+)", printed)])
            mine = np.array(equilux("crossbar", "solve", "--cells", directory / tile[side], "--unit", "uS", "--volts", directory / "volts.npy", *solve)["currents_A"])
            if theirs.shape != mine.shape:
                sys.exit(f"{own.name} of {bench.name}: {len(theirs)} currents, expected {len(mine)}: {printed}")
            off = np.abs(theirs - mine).max() / np.abs(mine).max()
            if not off <= 1e-6:
                sys.exit(f"{tile[side]}: off by {off:.1e} of the largest current")
            worst, count = max(worst, off), count + 1
print(f"{count} arrays, {worst:.0e} of the largest current at most")
