"""What is wrong is refused by an exception that names it; the interpreter goes on."""

import numpy as np
import pytest

import equilux as eq
from equilux import _lib


@pytest.fixture(scope="module")
def machine():
    return eq.Machine({"network": {"layers": [13, 8, 3]}})


X = np.zeros((4, 13))


@pytest.mark.parametrize(
    "value, words",
    [
        (np.zeros((4, 12)), r"X: an array of 4 x 12: expected samples x 13 inputs"),
        (np.zeros(13), r"X: an array of 1 dimensions: expected two, samples x 13 inputs"),
        (np.zeros((2, 2, 13)), r"X: an array of 3 dimensions"),
        (np.zeros((0, 13)), r"X: an array of 0 x 13: expected samples x 13 inputs, at least one"),
        (np.zeros((4, 0)), r"X: an array of 4 x 0"),
        (
            np.where(np.arange(52).reshape(4, 13) == 20, np.nan, 0),
            r"X: row 1, column 7: .*found NaN",
        ),
        (np.full((4, 13), np.inf), r"X: row 0, column 0: expected a finite number"),
        (
            np.full((4, 13), 1e300),
            r"X: row 0, column 0: expected a finite number \(f32\), found inf",
        ),
        (X.astype(complex), r"X: an array of dtype complex128: expected real numbers"),
        (X.astype(object), r"X: an array of dtype object"),
        (X.astype(str), r"X: an array of dtype <U"),
        (np.zeros((4, 13), dtype="M8[s]"), r"X: an array of dtype datetime64"),
        ([[1.0] * 13, [1.0] * 12], r"X: expected an array of samples x 13 inputs"),
        ("wine", r"X: an array of dtype <U4"),
        (None, r"X: an array of dtype object"),
    ],
)
def test_inputs(machine, value, words):
    with pytest.raises(ValueError, match=words):
        machine.settle(value)


@pytest.mark.parametrize(
    "y, words",
    [
        ([0, 1, 2], r"targets: 3 samples, X has 4"),
        ([0, 1, 2, 3], r"y: class 3: the machine has 3 outputs, expected 0 to 2"),
        ([0, 1, 2, -1], r"y: sample 3: -1: expected the number of an output"),
        ([0, 1, 2, 0.5], r"y: sample 3: 0.5"),
        (["a", "b", "c", "a"], r"y: sample 0: 'a': expected the number of an output"),
        (np.zeros((4, 2)), r"targets: an array of 4 x 2: expected samples x 3 outputs"),
        (np.full((4, 3), np.nan), r"targets: row 0, column 0: expected a finite"),
        (3, r"y: int: expected a label for each sample"),
        ([], r"y: no labels"),
    ],
)
def test_labels_of_a_gradient(machine, y, words):
    with pytest.raises(ValueError, match=words):
        machine.gradient(X, y)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"rule": "asymep"}, r"did you mean `asym-ep`\?"),
        ({"rule": 3}, r"learning.rule=3"),
        ({"beta": 0}, r"--set learning.beta=0"),
        ({"beta": "strong"}, r"learning.beta"),
        ({"nudging": "both"}, r"learning.nudging"),
        ({"cost": "hinge"}, r"learning.cost"),
    ],
)
def test_rules(machine, options, words):
    with pytest.raises(ValueError, match=words):
        machine.gradient(X, [0, 1, 2, 0], **options)


def test_phases(machine):
    free, targets = machine.settle(X), np.zeros((4, 3))
    for options, words in [
        ({"targets": targets}, "beta: expected a nudge"),
        ({"beta": 0.1}, "a nudge needs targets and the free measurement"),
        (
            {"beta": 0.1, "targets": targets, "free": machine.settle(X[:2])},
            "free: 2 samples, X has 4",
        ),
        ({"beta": 0.1, "targets": targets[:3], "free": free}, "targets: 3 samples"),
        ({"beta": 0, "targets": targets, "free": free}, "beta = 0: expected a number other than 0"),
        (
            {"beta": 0.1, "targets": targets, "free": free, "correction": "model"},
            "correction = model",
        ),
        (
            {"beta": 0.1, "targets": targets, "free": free, "correction": np.zeros((4, 3))},
            "correction: an array of 4 x 3: expected samples x 11 nodes",
        ),
        ({"beta": 0.1, "targets": targets, "free": free, "cost": "hinge"}, "cost = "),
    ]:
        with pytest.raises(ValueError, match=words):
            machine.settle(X, **options)
    double = eq.Machine({"precision": "f64", "network": {"layers": [13, 8, 3]}})
    with pytest.raises(ValueError, match="free: a measurement of another precision"):
        double.settle(X, beta=0.1, targets=targets, free=free)


def test_parameters(machine):
    for values, words in [
        ({"0-1.weight": np.zeros((8, 13))}, r"values\['0-1.weight'\]: expected one of 0-1.weights"),
        ({"0-1.weights": np.zeros((13, 8))}, r"0-1.weights: an array of 13 x 8: expected 8 x 13"),
        ({"0-1.weights": np.full((8, 13), np.nan)}, r"0-1.weights: row 0, column 0"),
        ({"0-1.weights": "weights"}, r"0-1.weights: an array of dtype"),
        ([1], r"values: list: expected arrays by parameter"),
    ]:
        with pytest.raises(ValueError, match=words):
            machine.program(values)


@pytest.mark.parametrize(
    "config, settings, words",
    [
        ({"network": {"layer": [4, 2]}}, {}, r"(?s)unknown field `layer`.*did you mean `layers`\?"),
        ({"trainin": {}}, {}, r"did you mean `training`\?"),
        ({"network": {"layers": [4]}}, {}, r"network.layers = \[4\]: expected at least two layers"),
        ({"network": {"layers": [4, None]}}, {}, r"network.layers = None: expected a number"),
        ({"network": {"layers": [4, 2]}, 3: 4}, {}, r"the key 3: expected a string"),
        ({"network": {"layers": [4, 1j]}}, {}, r"network.layers = 1j"),
        ({"network": {"layers": [2**70, 2]}}, {}, r"the experiment"),
        ("wine-spin", {}, r"did you mean `wine-spim`\?"),
        ("wine-spim", {"epoch": 5}, r"did you mean `epochs`|unknown field `epoch`"),
        ("wine-spim", {"epochs": 0}, r"--set training.epochs=0"),
        ("wine-spim", {"device": "spim-generc"}, r"did you mean `spim-generic`\?"),
        ("wine-spim", {"set": [1]}, r"set = \[1\]: expected a dictionary"),
        (7, {}, r"config = 7: expected the name of an experiment"),
    ],
)
def test_experiments(config, settings, words):
    with pytest.raises(ValueError, match=words):
        eq.Machine(config, **settings)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(OSError, match="nowhere.toml"):
        eq.Machine(tmp_path / "nowhere.toml")
    with pytest.raises(ValueError, match="not the directory of a run"):
        eq.read_run(tmp_path)
    with pytest.raises(ValueError, match="not the directory of a study"):
        eq.read_study(tmp_path)
    with pytest.raises(ValueError, match="sheet"):
        eq.device("nothing")


SMALL = {"network": {"layers": [2, 2]}, "training": {"epochs": 1}}
POINTS = np.arange(20.0).reshape(10, 2)


@pytest.mark.parametrize(
    "X, y, words",
    [
        (POINTS, None, r"y: expected both X and y"),
        (POINTS, [0, 1], r"y: 2 labels, X has 10 samples"),
        (POINTS, [1] * 10, r"y: every label is `1`: expected at least two classes"),
        (POINTS, [[1]] * 10, None),
        (POINTS, [{}] * 10, r"y: sample 0: a dict: expected something hashable"),
        (POINTS, [None] * 10, r"y: sample 0: None"),
        (POINTS, [0.0, np.nan] * 5, r"y: sample 1: nan"),
        (POINTS, np.zeros((10, 2)), r"y: an array of 10 x 2: expected one label a sample"),
        (POINTS, ["1", 1] * 5, r"two labels of one text"),
        (np.zeros((0, 2)), [], r"no labels|at least one"),
        (POINTS.astype(complex), [0, 1] * 5, r"X: an array of dtype complex128"),
        (np.full((10, 2), np.nan), [0, 1] * 5, r"X: row 0, column 0"),
        (np.zeros((10, 3)), [0, 1] * 5, r"network.layers"),
        (POINTS, list(range(10)), r"network.layers|test_fraction"),
    ],
)
def test_data_of_ones_own(X, y, words, tmp_path):
    if words is None:
        assert eq.train(SMALL, X=X, y=[(i % 2,) for i in range(10)], out=False).classes == [
            (0,),
            (1,),
        ]
        return
    for out in (False, tmp_path / "run"):
        with pytest.raises(ValueError, match=words):
            eq.train(SMALL, X=X, y=y, out=out)
    # What failed is not in the way.
    eq.train(SMALL, X=POINTS, y=[0, 1] * 5, out=tmp_path / "run", progress=False)


@pytest.mark.parametrize(
    "labels", [[True, False], [(1, 2), "b"], [b"x", b"y"], [-1, 10], [1.5, 2.5]]
)
def test_labels_of_any_hashable_kind(labels):
    run = eq.train(SMALL, X=POINTS, y=labels * 5, out=False)
    assert set(run.classes) == set(labels)
    assert all(type(label) in map(type, labels) for label in run.classes)
    found = run.predict(POINTS)
    assert found.shape == (10,) and set(found.tolist()) <= set(labels)
    assert 0 <= run.score(POINTS, labels * 5) <= 1


def test_directories(tmp_path, small):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine")
    with pytest.raises(ValueError, match="not an empty directory"):
        eq.train(small, out=tmp_path / "full", progress=False)
    with pytest.raises(ValueError, match="not the directory of a run"):
        eq.train(small, out=tmp_path / "full", resume=True, progress=False)
    with pytest.raises(ValueError, match="resume: expected a directory"):
        eq.train(small, out=False, resume=True)


def test_a_panic_is_an_exception():
    with pytest.raises(RuntimeError, match="a fault of equilux itself: asked for by a test"):
        _lib.panic_for_a_test()
    # And the interpreter, and the library, go on.
    assert eq.Machine(SMALL).settle(POINTS).settled.shape == (10,)


def test_a_machine_that_does_not_settle_says_so(small):
    with pytest.raises(RuntimeError, match="settled"):
        eq.train(small, out=False, relaxation__tolerance=1e-300, relaxation__max_steps=1)
