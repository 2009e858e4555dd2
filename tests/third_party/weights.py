"""Exported weights run in numpy: the feedforward network gives every test sample its expected class."""

import sys

import numpy as np
from common import manifest
from safetensors.numpy import load_file

directory, described = sys.argv[2], manifest()
if described["to"] == "safetensors":
    tensors = load_file(f"{directory}/weights.safetensors")
else:
    tensors = dict(np.load(f"{directory}/weights.npz"))
values = np.load(f"{directory}/test-inputs.npy")
arrays = [name for name in tensors if name.endswith(".weights")]
arrays.sort(key=lambda name: int(name.split("-")[0]))
bias, start = np.ravel(tensors["bias"]), 0
if described["to"] == "aihwkit":
    # aihwkit's fusion format: five heads, names, then magnitudes; signs and scale from the weights, as its converter takes them.
    lines = [line.split(",") for line in open(f"{directory}/fusion.csv", encoding="utf-8").read().splitlines()]
    assert lines[1] == ["AnalogLinear"] * len(arrays) and lines[5] == [str(2 * layer) for layer in range(len(arrays))]
    for layer, name in enumerate(arrays):
        original = tensors[name]
        assert [lines[row][layer] for row in (2, 3, 4)] == [str(n) for n in (original.size, *original.shape)]
        conductances = np.array([float(x) for x in lines[6 + layer]]).reshape(original.shape)
        signed = conductances * np.sign(original)
        slope = np.sum(signed * original, axis=1) / np.sum(signed * signed, axis=1)
        assert np.abs(signed * slope[:, None] - original).max() < float(sys.argv[3]) * np.abs(original).max(), name
for name in arrays:
    weights = tensors[name]
    values = np.tanh(values @ weights.T + bias[start : start + weights.shape[0]])
    start += weights.shape[0]
expected = np.loadtxt(f"{directory}/predictions.csv", delimiter=",", skiprows=1)[:, 1]
found = values.argmax(axis=1)
assert np.array_equal(found, expected), f"{np.sum(found != expected)} of {len(expected)} differ"
print(len(expected), "samples")
