"""scikit-learn's own checks, and its tools around an estimator."""

import pickle
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import equilux as eq


@parametrize_with_checks([eq.EPClassifier(hidden=(16,)), eq.EPRegressor(hidden=(16,))])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_grid_search_over_a_pipeline(wine):
    pipeline = make_pipeline(StandardScaler(), eq.EPClassifier(scaling="none", random_state=1))
    grid = {"epclassifier__hidden": [(8,), (12,)], "epclassifier__rule": ["asym-ep", "dyadic-ep"]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(*wine)
    assert search.best_score_ > 0.93
    assert len(search.cv_results_["params"]) == 4


@pytest.fixture
def proline():
    return eq.load_data("wine", label="proline", task="regression")


def test_a_regressor_does_as_well_as_a_line(proline):
    X, X_test, y, y_test = train_test_split(*proline, random_state=0)
    model = eq.EPRegressor(hidden=(12,), random_state=1).fit(X, y)
    line = LinearRegression().fit(X, y)
    found = model.predict(X_test)
    assert found.shape == y_test.shape
    assert model.score(X_test, y_test) == pytest.approx(r2_score(y_test, found))
    assert model.score(X_test, y_test) > line.score(X_test, y_test) - 0.1
    device = eq.EPRegressor(
        hidden=(12,),
        device="crossbar-generic",
        beta=0.5,
        settings={"device.crossbar.drive.range": 3.0, "device.crossbar.adc.range": 4.0},
        random_state=1,
    ).fit(X, y)
    assert device.score(X_test, y_test) > line.score(X_test, y_test) - 0.2
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X_test), found)


def test_several_targets_have_their_own_units():
    X, y = eq.load_data("wine", label=["proline", "hue"], task="regression")
    assert X.shape == (178, 12) and y.shape == (178, 2)
    model = eq.EPRegressor(hidden=(16,), random_state=0).fit(X, y)
    found = model.predict(X)
    assert found.shape == y.shape
    assert all(r2_score(y, found, multioutput="raw_values") > 0.5)
    run = model.run_
    assert run.classes is None and run.targets == ["y1", "y2"]
    assert run.predict(X) == pytest.approx(found)
    assert run.score(X, y) == pytest.approx(r2_score(y, found))
    again = pickle.loads(pickle.dumps(run))
    assert np.array_equal(again.predict(X), run.predict(X))
    # The first samples are its test part.
    of = run.summary["targets"][0]
    first = y[: run.summary["test_samples"], 0], found[: run.summary["test_samples"], 0]
    assert of["rmse"] == pytest.approx(root_mean_squared_error(*first))
    assert of["mae"] == pytest.approx(mean_absolute_error(*first))


def test_grid_search_over_a_regressor(proline):
    pipeline = make_pipeline(StandardScaler(), eq.EPRegressor(scaling="none", random_state=1))
    grid = {"epregressor__hidden": [(8,), (12,)], "epregressor__rate": [0.02, 0.05]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(*proline)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.score(*proline) > 0.6


def test_targets_that_cannot_be_learnt_are_refused(proline):
    X, y = proline
    with pytest.raises(ValueError, match="target `y` is 3 in every sample that trains"):
        eq.EPRegressor().fit(X, np.full(len(y), 3.0))
    with pytest.raises(ValueError, match="learning.cost"):
        eq.EPRegressor(settings={"learning.cost": "cross-entropy"}).fit(X, y)


def test_labels_of_any_kind_keep_their_order(wine):
    X, y = wine
    for labels in (
        np.array(["c", "a", "b"])[y],
        np.array([10, 9, 100])[y],
        np.array(["10", "9", "x"])[y],
    ):
        model = eq.EPClassifier(hidden=(8,), epochs=10, random_state=0).fit(X, labels)
        assert np.array_equal(model.classes_, np.unique(labels))
        assert model.score(X, labels) > 0.95


def test_devices_and_settings(wine):
    model = eq.EPClassifier(
        hidden=(12,),
        device="crossbar-generic",
        beta=0.5,
        settings={"device.crossbar.drive.range": 3.0, "device.crossbar.adc.range": 4.0},
        random_state=2,
    )
    model = clone(model).fit(*wine)
    assert "crossbar-generic" in model.run_.summary["machine"]
    assert model.score(*wine) > 0.9
    assert model.machine_.expense["conversions"] > 0
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(wine[0]), model.predict(wine[0]))


def test_the_same_random_state_is_the_same_model(wine):
    one, two = (eq.EPClassifier(epochs=3, random_state=7).fit(*wine) for _ in range(2))
    assert np.array_equal(one.decision_function(wine[0]), two.decision_function(wine[0]))
    other = eq.EPClassifier(epochs=3, random_state=8).fit(*wine)
    assert not np.array_equal(one.decision_function(wine[0]), other.decision_function(wine[0]))


def test_digits():
    X, y = load_digits(return_X_y=True)
    scores = cross_val_score(eq.EPClassifier(hidden=(48,), epochs=10, random_state=0), X, y, cv=3)
    assert scores.mean() > 0.92


def test_wrong_parameters_are_named(wine):
    for options, words in [
        ({"rule": "asymep"}, "did you mean `asym-ep`"),
        ({"epochs": 0}, "training"),
        ({"device": "pcm"}, "no datasheet is called"),
        ({"settings": {"network.layer": 3}}, "did you mean `layers`"),
    ]:
        for estimator in (eq.EPClassifier, eq.EPRegressor):
            with pytest.raises(ValueError, match=words):
                estimator(**options).fit(*wine)


def test_nothing_else_needs_scikit_learn():
    import subprocess

    code = (
        "import sys, equilux; assert 'sklearn' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
