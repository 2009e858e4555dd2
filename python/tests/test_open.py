"""Rules and machines written in Python."""

import numpy as np
import pytest

import equilux as eq


class CentredNudge(eq.Rule):
    """AsymEP by port reversal, as the library has it."""

    name = "my-asym-ep"
    nudge = 0.1

    def estimate(self, machine, batch):
        free = machine.settle(batch.inputs)
        held = machine.held_current(batch.inputs, free)
        plus, minus = (
            machine.settle(
                batch.inputs,
                beta=beta,
                targets=batch.targets,
                free=free,
                correction=held,
                cost=batch.cost,
            )
            for beta in (self.nudge, -self.nudge)
        )
        used = free.used & plus.used & minus.used
        self.machine = machine
        return eq.Signal((plus.values - minus.values) / (2 * self.nudge), free.values, free, used)


class Handed(CentredNudge):
    """The same with its gradient worked out."""

    def estimate(self, machine, batch):
        signal = super().estimate(machine, batch)
        d = signal.d * signal.used[:, None] / max(1, np.count_nonzero(signal.used))
        return dict(machine.local_product(batch.inputs, d, signal.at)), signal.free


def test_a_rule_of_ones_own_is_the_built_in_one(small):
    settings = {"precision": "f64", "learning__release_every": 0, "out": False, "progress": False}
    built_in = eq.train(small, rule="asym-ep", **settings)
    own = eq.train(small, rule=CentredNudge(), **settings)
    assert own.summary["rule"] == "my-asym-ep"
    # Scaled by 1 / 2 beta there, divided by 2 beta here: equal to rounding.
    for row, expected in zip(own.history, built_in.history, strict=True):
        assert row.train_cost == pytest.approx(expected.train_cost, rel=1e-9)
        assert row.test_accuracy == expected.test_accuracy


def test_it_learns_on_a_device():
    run = eq.train("digits-crossbar", rule=CentredNudge(), epochs=3, progress=False)
    assert run.test_accuracy > 0.9 and run.directory is None


def test_gradients_of_a_rule_of_ones_own(small, inputs):
    machine = eq.Machine(
        small, precision="f64", relaxation__tolerance=1e-12, relaxation__max_steps=500
    )
    expected = machine.gradient(*inputs, rule="asym-ep", beta=0.1)
    for rule in (CentredNudge(), Handed()):
        found = machine.gradient(*inputs, rule=rule)
        assert found.relative_error(expected) < 1e-9
        assert found.unsettled == 0
    # What was lent for an estimate is of no use after it.
    with pytest.raises(RuntimeError, match="lent to a rule for one estimate, which is over"):
        rule.machine.settle(inputs[0])


def test_what_a_rule_raises_comes_out_as_it_was(small):
    class Wrong(eq.Rule):
        def estimate(self, machine, batch):
            raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing") as caught:
        eq.train(small, rule=Wrong(), out=False)
    assert any(frame.name == "estimate" for frame in caught.traceback)


@pytest.mark.parametrize(
    "found, words",
    [
        (lambda free: None, "expected a Signal"),
        (lambda free: eq.Signal(free.values[:3], free.values, free), "d: 3 samples"),
        (lambda free: eq.Signal(free.values[:, :3], free.values, free), "d: an array of .* nodes"),
        (lambda free: eq.Signal(free.values * np.nan, free.values, free), "d: row 0"),
        (lambda free: eq.Signal(free.values, free.values, free.values), "free: expected what"),
        (lambda free: eq.Signal(free.values, free.values, free, [True]), "used: 1 of True"),
        (lambda free: ({}, free), "no gradient of 0-1.weights"),
        (
            lambda free: (
                {n: np.zeros((1, 1)) for n in ("0-1.weights", "1-2.weights", "bias")},
                free,
            ),
            "a gradient of other shapes",
        ),
    ],
)
def test_what_a_rule_hands_back_is_checked(small, found, words):
    class Wrong(eq.Rule):
        name = "wrong"

        def estimate(self, machine, batch):
            return found(machine.settle(batch.inputs))

    with pytest.raises(ValueError, match=words):
        eq.train(small, rule=Wrong(), out=False)


class Rectifier(eq.System):
    """Two floating nodes, a diode between them and two trained conductances to the inputs:
    F1 = g1 (x1 - v1) - v1 - D(v1 - v2), F2 = g2 (x2 - v2) - v2 + D(v1 - v2)."""

    inputs, outputs = 2, (0, 2)
    domains = {"conductances": (0.01, 10.0)}

    def __init__(self):
        self.g = np.array([0.5, 0.5])
        self.settlings = 0

    def describe(self):
        return "a diode and two conductances"

    def parameters(self):
        return {"conductances": self.g[:, None]}

    def program(self, values):
        self.g = values["conductances"][:, 0].copy()

    def expense(self):
        return 1e-6 * self.settlings

    def _force(self, X, v):
        diode = 0.05 * (np.exp((v[:, 0] - v[:, 1]) / 0.25) - 1)
        return self.g * (X - v) - v - np.stack([diode, -diode], axis=1)

    def _jacobian(self, v):
        slope = 0.2 * np.exp((v[:, 0] - v[:, 1]) / 0.25)
        return np.diag(-self.g - 1) + slope[:, None, None] * np.array([[-1, 1], [1, -1]])

    def settle(self, X, phase):
        if phase.name == "dyadic" or phase.correction is not None:
            raise ValueError("this machine cannot be corrected or coupled to a copy")
        self.settlings += 1
        v = np.zeros_like(X)
        for _ in range(60):
            force, jacobian = self._force(X, v), self._jacobian(v)
            if phase.name == "nudged":
                force = force + phase.force(v)
                jacobian = jacobian - phase.beta * np.eye(2)
            step = np.linalg.solve(jacobian, force[..., None])[..., 0]
            v = v - step * (0.25 / np.maximum(np.abs(step).max(axis=1, keepdims=True), 0.25))
        return v, np.abs(force).max(axis=1) < 1e-9

    def local_product(self, X, d, at):
        return {"conductances": -(d * (X - at)).sum(axis=0)[:, None]}

    def adjoint(self, X, cost, targets):
        v, _ = self.settle(X, eq.Phase("free"))
        slopes = -eq.Phase("nudged", beta=1.0, cost=cost, targets=targets).force(v)
        a = np.linalg.solve(self._jacobian(v).transpose(0, 2, 1), slopes[..., None])[..., 0]
        return v, a


def points(count, shift):
    i, k = np.arange(2), np.arange(count)[:, None]
    X = np.sin(1.7 * k + 2.3 * i + shift)
    return X, (X[:, 1] > 3 * X[:, 0]).astype(int)


OWN = {
    "precision": "f64",
    "data": {"scaling": "none"},
    "learning": {"rule": "ep", "beta": 0.1, "target_off": -0.2, "target_on": 0.2},
    "training": {"epochs": 10, "batch": 12, "optimiser": {"sgd": {"rate": 0.5}}},
}


def test_a_machine_of_ones_own_learns():
    X, y = points(180, 0.0)
    machine = Rectifier()
    run = eq.train(OWN, machine=machine, X=X, y=y)
    assert run.summary["machine"] == "a diode and two conductances" and run.machine is machine
    first, last = run.history[0], run.history[-1]
    assert last.train_cost < 0.95 * first.train_cost and run.test_accuracy > 0.9
    assert not np.allclose(machine.g, 0.5) and last.lab_seconds > 0
    assert run.directory is None


def test_its_yardstick_and_its_phases(monkeypatch):
    X, y = points(60, 0.0)
    with pytest.raises(ValueError, match="cannot be driven through its other ports"):
        eq.train(OWN, machine=Rectifier(), X=X, y=y, rule="asym-ep")
    with pytest.raises(ValueError, match="cannot be corrected or coupled"):
        eq.train(OWN, machine=Rectifier(), X=X, y=y, rule="dyadic-ep")
    by_ep = eq.train(OWN, machine=Rectifier(), X=X, y=y, epochs=2, beta=1e-4)
    exact = eq.train(OWN, machine=Rectifier(), X=X, y=y, epochs=2, rule="adjoint")
    assert by_ep.history[-1].train_cost == pytest.approx(exact.history[-1].train_cost, rel=1e-6)


def test_what_a_machine_raises_comes_out_as_it_was():
    X, y = points(60, 0.0)

    class Broken(Rectifier):
        def local_product(self, X, d, at):
            raise ZeroDivisionError("broken wire")

    with pytest.raises(ZeroDivisionError, match="broken wire"):
        eq.train(OWN, machine=Broken(), X=X, y=y)
    for method, value, words in [
        ("settle", lambda X, phase: X[:, :1], "outputs|nodes|out of|other"),
        ("settle", lambda X, phase: X[:2], "settle: values of 2 samples"),
        ("settle", lambda X, phase: X * np.nan, "settle: values: row 0"),
        ("settle", lambda X, phase: (X, [True]), "settle: settled: 1 of True"),
        ("local_product", lambda X, d, at: {}, "nothing for the parameter conductances"),
        ("parameters", lambda: {"conductances": np.zeros(2)}, "conductances: an array of 1 dim"),
    ]:
        wrong = Rectifier()
        setattr(wrong, method, value)
        with pytest.raises((ValueError, RuntimeError), match=words):
            eq.train(OWN, machine=wrong, X=X, y=y)
    with pytest.raises(ValueError, match="out: a directory says"):
        eq.train(OWN, machine=Rectifier(), X=X, y=y, out="here")
    with pytest.raises(ValueError, match="expected an equilux.System"):
        eq.train(OWN, machine=object(), X=X, y=y)
