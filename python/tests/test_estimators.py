"""scikit-learn's own checks, and its tools around an estimator."""

import pickle
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import equilux as eq


@parametrize_with_checks([eq.EPClassifier(hidden=(16,))])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_grid_search_over_a_pipeline(wine):
    pipeline = make_pipeline(StandardScaler(), eq.EPClassifier(scaling="none", random_state=1))
    grid = {"epclassifier__hidden": [(8,), (12,)], "epclassifier__rule": ["asym-ep", "dyadic-ep"]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(*wine)
    assert search.best_score_ > 0.93
    assert len(search.cv_results_["params"]) == 4


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
        with pytest.raises(ValueError, match=words):
            eq.EPClassifier(**options).fit(*wine)


def test_nothing_else_needs_scikit_learn():
    import subprocess

    code = (
        "import sys, equilux; assert 'sklearn' not in sys.modules and 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
