"""Machines: settling, gradients, parameters."""

import copy
import pickle

import numpy as np
import pytest

import equilux as eq


@pytest.fixture
def machine(small):
    return eq.Machine(
        small, precision="f64", relaxation__tolerance=1e-10, relaxation__max_steps=500
    )


def test_a_feedforward_network_settles_to_its_forward_pass(machine, inputs):
    X, _ = inputs
    r = machine.settle(X)
    W1, W2 = machine.parameters["0-1.weights"], machine.parameters["1-2.weights"]
    bias = machine.parameters["bias"][:, 0]
    hidden = np.tanh(X @ W1.T + bias[:8])
    outputs = np.tanh(hidden @ W2.T + bias[8:])
    assert r.values.shape == (20, 11) and r.outputs.shape == (20, 3)
    np.testing.assert_allclose(r.values[:, :8], hidden, atol=1e-8)
    np.testing.assert_allclose(r.outputs, outputs, atol=1e-8)
    assert r.settled.all() and r.settled.dtype == bool and (r.steps > 0).all()
    assert np.array_equal(np.asarray(r), r.values) and len(r) == 20
    assert np.array_equal(r.outputs, r.values[:, 8:])
    assert "20 samples x 11 nodes, 20 settled" in repr(r)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, bool])
def test_arrays_of_any_order_and_real_type(machine, order, dtype):
    X = np.array(np.arange(39).reshape(3, 13) % 5 - 2, dtype=dtype, order=order)
    expected = machine.settle(X.astype(float)).values
    assert np.array_equal(machine.settle(X).values, expected)
    assert np.array_equal(machine.settle(X.tolist()).values, expected)
    assert np.array_equal(machine.settle(X[::-1]).values, expected[::-1])


def test_rules_find_the_gradient(machine, inputs):
    exact = machine.gradient(*inputs, rule="adjoint")
    for rule in ["asym-ep", {"asym-ep": {"correction": "digital-model"}}, "dyadic-ep"]:
        found = machine.gradient(*inputs, rule=rule, beta=1e-3)
        assert found.cosine(exact) > 0.99999 and found.relative_error(exact) < 1e-4
    field = machine.gradient(*inputs, rule="vector-field", beta=1e-3)
    assert field.cosine(exact) < 0.999
    truth = machine.gradient(*inputs, rule="finite-differences")
    assert truth.relative_error(exact) < 1e-4
    assert list(exact) == list(machine.parameters)
    assert exact["0-1.weights"].shape == (8, 13) and exact.unsettled == 0
    assert np.asarray(exact).shape == (8 * 13 + 3 * 8 + 11,)
    assert "0-1.weights 8 x 13" in repr(exact)


def test_a_gradient_is_a_derivative(machine, inputs):
    X, y = inputs
    exact = machine.gradient(X, y, rule="adjoint")
    targets = machine.targets(y)

    def cost():
        return 0.5 * ((machine.settle(X).outputs - targets) ** 2).sum(axis=1).mean()

    W = machine.parameters["0-1.weights"]
    moved, h = W.copy(), 1e-5
    moved[2, 3] += h
    machine.program({"0-1.weights": moved})
    above = cost()
    moved[2, 3] -= 2 * h
    machine.program({"0-1.weights": moved})
    assert (above - cost()) / (2 * h) == pytest.approx(exact["0-1.weights"][2, 3], rel=1e-4)


def test_labels_and_targets_say_the_same(machine, inputs):
    X, y = inputs
    targets = np.where(np.arange(3) == y[:, None], 0.9, -0.9)
    assert np.allclose(machine.targets(y), targets)
    by_label, by_target = machine.gradient(X, y), machine.gradient(X, targets)
    assert all(np.array_equal(by_label[name], by_target[name]) for name in by_label)


def test_perturbing_rules_leave_the_machine_as_it_was(machine, inputs):
    before = machine.settle(inputs[0]).values
    machine.gradient(*inputs, rule="spsa")
    assert np.array_equal(machine.settle(inputs[0]).values, before)


def test_phases_by_hand_are_those_of_the_rule(machine, inputs):
    X, y = inputs
    targets, beta = machine.targets(y), 0.1
    free = machine.settle(X)
    held = machine.held_current(X, free)
    plus, minus = (
        machine.settle(X, beta=b, targets=targets, free=free, correction=held)
        for b in (beta, -beta)
    )
    d = (plus.values - minus.values) / (2 * beta)
    by_hand = machine.local_product(X, d / len(X), free.values)
    by_rule = machine.gradient(X, y, rule="asym-ep", beta=beta)
    for name in by_rule:
        np.testing.assert_allclose(by_hand[name], by_rule[name], rtol=1e-12, atol=1e-12)
    dyadic = machine.settle(X, beta=beta, targets=targets, free=free, dyadic=True)
    assert dyadic.difference.shape == (20, 11) and free.difference is None


def test_parameters_are_programmed(machine, inputs):
    W = np.zeros((8, 13))
    machine.program({"0-1.weights": W})
    assert np.array_equal(machine.parameters["0-1.weights"], W)
    machine.program({"bias": np.arange(11) / 10})
    assert machine.parameters["bias"].shape == (11, 1)
    assert "0-1.weights 8 x 13 (real)" in repr(machine.parameters)
    with pytest.raises(KeyError, match="expected one of"):
        machine.parameters["1-0.weights"]


def test_devices_are_put_on(inputs):
    m = eq.Machine("wine-spim", device="spim-laboratory", seed=1, chip=2)
    assert (
        m.experiment["chip"] == 2 and m.experiment["device"]["spim"]["sheet"] == "spim-laboratory"
    )
    assert m.dtype == np.float64 and m.inputs == 13 and m.outputs == 3
    assert "21" in repr(m) or "13-5-3" in repr(m)
    noisy = eq.Machine("digits-crossbar")
    X = np.full((4, 64), 0.5)
    assert not np.array_equal(noisy.settle(X).values, noisy.settle(X).values)
    assert noisy.expense["conversions"] > 0 and noisy.resolution["noise"] > 0


@pytest.mark.parametrize("name", ["wine-spim", "digits-crossbar", "digits-pulsed"])
def test_machines_are_pickled_with_their_hardware(name):
    m = eq.Machine(name)
    X = np.full((2, m.inputs), 0.1)
    m.settle(X)
    again, copied = pickle.loads(pickle.dumps(m)), copy.deepcopy(m)
    expected = m.settle(X).values
    assert np.array_equal(again.settle(X).values, expected)
    assert np.array_equal(copied.settle(X).values, expected)
    assert repr(again) == repr(m)


def test_weights_come_in(machine, tmp_path, inputs):
    from safetensors.numpy import save_file

    draw = np.random.default_rng(1)
    tensors = {
        "fc1.weight": draw.normal(size=(8, 13)).astype(np.float32),
        "fc1.bias": draw.normal(size=8).astype(np.float32),
        "fc2.weight": draw.normal(size=(3, 8)).astype(np.float32),
        "fc2.bias": draw.normal(size=3).astype(np.float32),
    }
    names = {
        "0-1.weights": "fc1.weight",
        "1-2.weights": "fc2.weight",
        "bias": ["fc1.bias", "fc2.bias"],
    }
    save_file(tensors, tmp_path / "net.safetensors")
    np.savez(tmp_path / "net.npz", **tensors)
    expected = np.tanh(
        np.tanh(inputs[0] @ tensors["fc1.weight"].T + tensors["fc1.bias"]) @ tensors["fc2.weight"].T
        + tensors["fc2.bias"]
    )
    for source in [tmp_path / "net.safetensors", str(tmp_path / "net.npz"), tensors]:
        machine.program({"0-1.weights": np.zeros((8, 13))})
        machine.load(source, map=names)
        np.testing.assert_allclose(machine.settle(inputs[0]).outputs, expected, atol=1e-6)
    with pytest.raises(ValueError, match="did you mean `fc1.weight`|expected one of"):
        machine.load(tmp_path / "net.safetensors", map={"0-1.weights": "fc1.weigth"})
    with pytest.raises(ValueError, match="expected a parameter"):
        machine.load(tensors, map={"0-1.weight": "fc1.weight"})
    with pytest.raises(ValueError, match="8 x 13"):
        machine.load(tensors, map={"0-1.weights": "fc2.weight"})


def test_a_machine_of_a_run_is_trained(tmp_path, small, wine):
    run = eq.train(small, out=tmp_path / "run", progress=False)
    machine = eq.Machine(tmp_path / "run")
    X = run.scale(wine[0])
    assert np.array_equal(machine.predict(X), run.predict(wine[0]))
    assert machine.classes == run.classes == [0, 1, 2]
