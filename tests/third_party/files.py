"""numpy, Pillow and safetensors open every file of an export; its manifest follows the schema (third argument)."""

import json
import sys

import jsonschema as schema
import numpy as np
import safetensors.numpy as tensors
from common import manifest
from PIL import Image as image

directory, described = sys.argv[2], manifest()
with open(sys.argv[3], encoding="utf-8") as file:
    schema.validate(described, json.load(file), cls=schema.Draft202012Validator)
opened = 0
for entry in described["files"]:
    name, shape = entry["file"], tuple(entry["shape"])
    path = f"{directory}/{name}"
    if name.endswith(".npy"):
        values = np.load(path, allow_pickle=False)
        twin = f"{path[:-4]}.csv"
        if any(other["file"] == name[:-4] + ".csv" for other in described["files"]):
            assert np.array_equal(values, np.loadtxt(twin, delimiter=",", ndmin=2)), twin
    elif name.endswith(".png"):
        picture = image.open(path)
        values = np.asarray(picture)
        if shape:
            bits = next(held["slm"]["bits"] for held in described["held"] if "slm" in held)
            assert picture.mode == ("L" if bits <= 8 else "I;16"), (name, picture.mode)
            assert 0 <= values.min() and values.max() < 2**bits, name
    elif name.endswith(".npz"):
        archive = np.load(path, allow_pickle=False)
        assert archive.files and all(archive[key].ndim == 2 for key in archive.files)
        values = None
    elif name.endswith(".safetensors"):
        assert tensors.load_file(path)
        values = None
    else:
        values = None
    if values is not None and shape:
        assert values.shape == shape, (name, values.shape, shape)
    opened += 1
print(opened, "files")
