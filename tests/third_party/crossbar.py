"""Exported conductances in badcrossbar's nodal analysis: its currents are those of `equilux crossbar solve`."""

import sys

import numpy as np
from badcrossbar import compute
from common import close, equilux, manifest

directory, described = sys.argv[2], manifest()
r_word, r_bit = 3.0, 5.0
count = 0
for held in described["held"]:
    for tile in held.get("crossbar", {}).get("tiles", []):
        for side in ["plus", "minus"]:
            cells = np.load(f"{directory}/{tile[side]}")
            volts = np.linspace(-0.2, 0.2, cells.shape[0])[:, None] + 0.01
            np.save(f"{directory}/volts.npy", volts)
            found = equilux("crossbar", "solve", "--cells", f"{directory}/{tile[side]}", "--unit", "uS", "--volts", f"{directory}/volts.npy", "--r-word", r_word, "--r-bit", r_bit)
            solution = compute(volts, 1e6 / cells, r_i_word_line=r_word, r_i_bit_line=r_bit)
            for mine, theirs in zip(found["currents_A"], np.ravel(solution.currents.output)):
                close(mine, theirs, 1e-9 * np.abs(solution.currents.output).max(), tile[side])
            count += 1
print(count, "arrays")
