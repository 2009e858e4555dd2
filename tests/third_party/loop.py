"""The loop that PROTOCOL.txt states, written from an export alone: its example, and the class of every test sample."""

import re
import sys
import tomllib

import numpy as np
from common import manifest

directory, described = sys.argv[2], manifest()
config, held = tomllib.loads(described["config"]), described["held"]
network, relaxation = config["network"], config["relaxation"]
with open(f"{directory}/PROTOCOL.txt", encoding="utf-8") as file:
    protocol = file.read()


def part(name):
    """A parameter by its name."""
    for holder in held:
        (kind, content), = holder.items()
        if content["parameter"] != name:
            continue
        if kind == "slm":
            return np.cos(np.load(f"{directory}/{content['phases']}")).T
        if kind == "plain":
            return np.load(f"{directory}/{content['file'].replace('.csv', '.npy')}") if content["file"].endswith(".npy") else np.loadtxt(
                f"{directory}/{content['file']}", delimiter=",", ndmin=2)
        rows = content["rows"] if "rows" in content else None
        weights = np.zeros((0, 0))
        for tile in content["tiles"]:
            values = (np.load(f"{directory}/{tile['plus']}") - np.load(f"{directory}/{tile['minus']}")).T * content["weight_per_uS"]
            top, left = tile.get("outputs", [0])[0], tile.get("inputs", [0])[0]
            wide = np.zeros((max(weights.shape[0], top + values.shape[0]), max(weights.shape[1], left + values.shape[1])))
            wide[: weights.shape[0], : weights.shape[1]] = weights
            wide[top : top + values.shape[0], left : left + values.shape[1]] = values
            weights = wide
        return weights
    return None


response = {
    "tanh": (np.tanh, lambda u: 1 - np.tanh(u) ** 2),
    "sine": (lambda u: np.sin(np.clip(u, -np.pi / 2, np.pi / 2)), lambda u: np.where(abs(u) < np.pi / 2, np.cos(u), 0)),
}
f, slope = response[network["activation"]]
inputs, nodes = network["layers"][0], sum(network["layers"][1:])
bias = part("bias").ravel()
gradient = isinstance(network.get("dynamics"), dict)
leak = network["dynamics"]["gradient"]["leak"] if gradient else 1


def by_frames(values, gain):
    """Forces on the nodes, two frames of each pattern a node, as an ideal camera sees them."""
    patterns, weights = part("all.patterns"), part("all.pattern_weights").ravel()
    spim, count = config["device"]["spim"], len(weights)
    forces = np.zeros(nodes)
    for row in range(nodes):
        node, g = inputs + row, gain[row]
        for k in range(count):
            xi = patterns[:, k]
            shown = xi * np.clip(values, -1, 1)
            if spim["readout"] == "unscaled-shift":
                h = min(g, np.sqrt(2) - abs(values[node]))
                pair, scale = [(values[node] + h) / np.sqrt(2), (values[node] - h) / np.sqrt(2)], g / h / 4
            else:
                pair, scale = [g, -g], 1 / 4
            lights = []
            for value in pair:
                frame = shown.copy()
                frame[node] = xi[node] * value
                lights.append(frame.sum() ** 2)
            forces[row] += weights[k] / count * (lights[0] - lights[1]) * scale
    if spim["patterns"]["self_coupling"] == "kept":
        forces += gain * (patterns[inputs:] ** 2 @ weights / count) * values[inputs:]
    return forces


def by_layers(values, gain):
    """Currents of one-way arrays."""
    forces, starts = np.zeros(nodes), np.cumsum([0, *network["layers"]])
    for layer in range(len(network["layers"]) - 1):
        weights = part(f"{layer}-{layer + 1}.weights")
        forces[starts[layer + 1] - inputs : starts[layer + 2] - inputs] = weights @ values[starts[layer] : starts[layer + 1]]
    return forces


forces_of = by_frames if network["topology"] == "all-to-all" else by_layers


def reversed_by_layers(values):
    """Currents of the same arrays through their other ports."""
    currents, starts = np.zeros(nodes), np.cumsum([0, *network["layers"]])
    for layer in range(1, len(network["layers"]) - 1):
        weights = part(f"{layer}-{layer + 1}.weights")
        currents[starts[layer] - inputs : starts[layer + 1] - inputs] = weights.T @ values[starts[layer + 1] : starts[layer + 2]]
    return currents


def settle(x, steps=None, added=None, forces_of=forces_of):
    """The nodes at rest, how many steps that took, and the force in the first."""
    u, first = np.zeros(nodes), None
    most = steps or relaxation.get("free_steps") or relaxation["max_steps"]
    before = np.inf
    for step in range(1, most + 1):
        gain = slope(u) if gradient else np.ones(nodes)
        force = forces_of(np.concatenate([x, f(u)]), gain) + gain * bias - leak * u
        if added is not None:
            force += added(u if gradient else f(u))
        first = force if first is None else first
        largest = abs(force).max()
        if largest <= relaxation["tolerance"] and largest <= before:
            break
        before, u = largest, u + relaxation["step"] * force
    return (u if gradient else f(u)), step, first


def stated(line):
    """The numbers that end a line of the example."""
    found = re.search(rf"^   {line} ([-0-9. ]*)$", protocol, re.MULTILINE)
    return np.array([float(number) for number in found[1].split() if number != "..."]) if found else None


samples = np.load(f"{directory}/test-inputs.npy")
rest, steps, first = settle(samples[0])
for found, expected in [(first, stated("F of nodes .* in the first step:")), (rest, stated("after .* nodes .* show"))]:
    if expected is not None and abs(found[: len(expected)] - expected).max() > 20 * relaxation["tolerance"] + 2e-6:
        sys.exit(f"found {found}, expected {expected}")
if stated("after .* nodes .* show") is None:
    sys.exit("no example")
classes = np.loadtxt(f"{directory}/predictions.csv", delimiter=",", skiprows=1, dtype=int)[:, 1]
outputs = network["layers"][-1]
same = sum(int(np.argmax(settle(x)[0][-outputs:]) == expected) for x, expected in zip(samples, classes))
if same != len(classes):
    sys.exit(f"{same} of {len(classes)} samples have the class that is expected")

# Section 5 against small moves of the biases, at a small nudge: the rule's own beta has a bias of its own.
learning = config["learning"]
rule, beta, small, most = learning["rule"], 1e-3, 1e-4, 20_000
relaxation["tolerance"] = 1e-11
target = np.where(np.arange(outputs) == classes[0], learning["target_on"], learning["target_off"])


def nudged(side, v0):
    """The state nudged by side times beta."""
    def added(v):
        force = np.zeros(nodes)
        force[-outputs:] = -side * beta * (v[-outputs:] - target)
        return force

    if rule == "ep":
        return settle(samples[0], most, added)[0]
    wide = lambda v: np.concatenate([samples[0], v])
    held = by_layers(wide(v0), 1) - reversed_by_layers(wide(v0))
    return settle(samples[0], most, added, lambda values, gain: reversed_by_layers(values) + held)[0]


if rule == "ep" or network["topology"] != "all-to-all":
    v0 = settle(samples[0], most)[0]
    plus, minus = nudged(1, v0), nudged(-1, v0)
    d, v = (plus - minus) / (2 * beta), (plus + minus) / 2 if rule == "ep" else v0
    stated_gradient = -d * (slope(v) if gradient else 1)
    for node in range(0, nodes, 3):
        costs = []
        for side in (1, -1):
            bias[node] += side * small
            costs.append(0.5 * ((settle(samples[0], most)[0][-outputs:] - target) ** 2).sum())
            bias[node] -= side * small
        moved = (costs[0] - costs[1]) / (2 * small)
        if abs(moved - stated_gradient[node]) > 1e-4 * abs(stated_gradient).max() + 1e-7:
            sys.exit(f"bias {node}: {moved} by moving it, {stated_gradient[node]} by section 5")
    print("the gradient by biases is that of section 5, rule", rule)
print(same, "samples, after", steps, "steps the first")
