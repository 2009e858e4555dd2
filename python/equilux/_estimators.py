"""Estimators of scikit-learn: machines that learn by Equilibrium Propagation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MultiOutputMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from . import _lib
from ._experiment import experiment
from ._labels import target_names
from ._run import Run, conduct

#: After each epoch a trainer looks at samples that it does not learn from. Whoever fits an
#: estimator learns from all of them, so it looks at some of those.
_LOOKED_AT = 256


class _Estimator(BaseEstimator):
    """What estimators share: their parameters, and the training of a machine."""

    def __init__(
        self,
        hidden: Sequence[int] = (48,),
        *,
        device: str | Mapping[str, Any] = "exact",
        rule: str | Mapping[str, Any] = "asym-ep",
        beta: float = 0.1,
        topology: str = "one-way",
        activation: str = "tanh",
        epochs: int = 30,
        batch: int = 32,
        rate: float = 0.05,
        momentum: float = 0.9,
        scaling: str = "standardise",
        chip: int = 0,
        settings: Mapping[str, Any] | None = None,
        random_state: Any = None,
    ):
        self.hidden = hidden
        self.device = device
        self.rule = rule
        self.beta = beta
        self.topology = topology
        self.activation = activation
        self.epochs = epochs
        self.batch = batch
        self.rate = rate
        self.momentum = momentum
        self.scaling = scaling
        self.chip = chip
        self.settings = settings
        self.random_state = random_state

    def _train(
        self,
        X: np.ndarray,
        y: np.ndarray | list[str],
        outputs: int,
        *,
        targets: Sequence[str] = (),
        labels: Mapping[str, Any] | None = None,
    ) -> None:
        """Trains a machine on ``y``: values of ``targets``, or texts that stand for ``labels``."""
        layers = [X.shape[1], *(int(nodes) for nodes in self.hidden), outputs]
        feedforward = self.topology == "one-way"
        made_of = experiment(
            {
                "seed": int(check_random_state(self.random_state).randint(2**31 - 1)),
                "chip": self.chip,
                "precision": "f64",
                "data": {
                    "scaling": self.scaling,
                    "task": "regression" if targets else "classification",
                },
                "network": {
                    "layers": layers,
                    "topology": self.topology,
                    "activation": self.activation,
                },
                # A feedforward network is at rest after as many whole steps as it has layers.
                "relaxation": {
                    "step": 1.0 if feedforward else 0.5,
                    "tolerance": 1e-3,
                    "max_steps": 12 + len(layers) if feedforward else 100,
                },
                "learning": {"rule": self.rule, "beta": self.beta},
                "training": {
                    "epochs": self.epochs,
                    "batch": self.batch,
                    "optimiser": {"sgd": {"rate": self.rate, "momentum": self.momentum}},
                },
            },
            device=None if self.device == "exact" else self.device,
            set=self.settings,
        )
        again = slice(min(len(X), _LOOKED_AT))
        y = np.concatenate([y, y[again]]) if targets else y + y[again]
        data = (np.concatenate([X, X[again]]), y, list(targets), again.stop)
        own = {"data": data, "system": None, "rule": None}
        content = _lib.Run.open(made_of._content, type(self).__name__, "memory", None, own)
        self.run_: Run = conduct(content, made_of, labels, None, False)
        self.machine_ = self.run_.machine
        self.n_iter_ = len(self.run_.history)

    def _outputs(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self.machine_.settle(self.run_.scale(X)).outputs


class EPClassifier(ClassifierMixin, _Estimator):
    """A simulated machine that learns classes by Equilibrium Propagation.

        eq.EPClassifier(hidden=(48,), device="pcm-nandakumar").fit(X, y).score(X_test, y_test)

    Parameters
    ----------
    hidden : sequence of int
        Nodes of each hidden layer.
    device : str or dict
        A datasheet's name or path, ``"exact"``, or the table ``[device]``.
    rule : str or dict
        The learning rule, by name or with its table.
    beta : float
        Nudge strength, not 0.
    topology : {"one-way", "reciprocal", "independent-feedback", "all-to-all"}
        How layers are coupled.
    activation : str
        The response of the nodes.
    epochs : int
        Passes over the training samples.
    batch : int
        Samples of a mini-batch.
    rate, momentum : float
        Of gradient descent.
    scaling : {"standardise", "unit-range", "centre", "none"}
        How features become inputs.
    chip : int
        Names, beside the random state, what is fixed in the hardware.
    settings : dict or None
        Any other key of an experiment, such as ``{"device.crossbar.adc.bits": 8}``.
    random_state : int, RandomState instance or None
        Names every random stream; an integer gives the same bits each time.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels.
    machine_ : Machine
        The machine as training left it.
    run_ : Run
        Metrics and summary of the training; its test part are some of the training samples.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Features of a sample.

    On a device with noise two predictions of one sample may differ, as two readings do.
    """

    def fit(self, X: Any, y: Any) -> EPClassifier:
        """Trains a machine on features ``X`` (samples x features) and labels ``y``."""
        X, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: 1 class, {self.classes_[0]!r}: expected at least two classes")
        named = {str(at): label for at, label in enumerate(self.classes_.tolist())}
        self._train(X, [str(label) for label in labels], len(named), labels=named)
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """The value of each output node, samples x classes; of two classes, the second's value less
        the first's."""
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def predict(self, X: Any) -> np.ndarray:
        """The label of each sample: that of its largest output."""
        largest = np.argmax(self._outputs(X), axis=1)
        return self.classes_[largest]


class EPRegressor(MultiOutputMixin, RegressorMixin, _Estimator):
    """A simulated machine that learns numbers by Equilibrium Propagation: one target or several.

        eq.EPRegressor(hidden=(48,), device="pcm-nandakumar").fit(X, y).score(X_test, y_test)

    The range that each target has over the training samples is that of its output, from
    ``learning.target_off`` to ``learning.target_on``; predictions are in the target's own unit.
    ``score`` is R2.

    Parameters
    ----------
    hidden : sequence of int
        Nodes of each hidden layer.
    device : str or dict
        A datasheet's name or path, ``"exact"``, or the table ``[device]``.
    rule : str or dict
        The learning rule, by name or with its table.
    beta : float
        Nudge strength, not 0.
    topology : {"one-way", "reciprocal", "independent-feedback", "all-to-all"}
        How layers are coupled.
    activation : str
        The response of the nodes.
    epochs : int
        Passes over the training samples.
    batch : int
        Samples of a mini-batch.
    rate, momentum : float
        Of gradient descent.
    scaling : {"standardise", "unit-range", "centre", "none"}
        How features become inputs.
    chip : int
        Names, beside the random state, what is fixed in the hardware.
    settings : dict or None
        Any other key of an experiment, such as ``{"device.crossbar.adc.bits": 8}``.
    random_state : int, RandomState instance or None
        Names every random stream; an integer gives the same bits each time.

    Attributes
    ----------
    machine_ : Machine
        The machine as training left it.
    run_ : Run
        Metrics and summary of the training; its test part are some of the training samples.
    n_iter_ : int
        Epochs trained.
    n_features_in_ : int
        Features of a sample.

    On a device with noise two predictions of one sample may differ, as two readings do.
    """

    def fit(self, X: Any, y: Any) -> EPRegressor:
        """Trains a machine on features ``X`` (samples x features) and targets ``y`` (a number each,
        or samples x targets), each of which must vary."""
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        self._flat = y.ndim == 1
        values = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        if len(X) < 2:
            raise ValueError("1 sample: expected at least two, with different targets")
        names = target_names(values.shape[1])
        self._train(X, values, len(names), targets=names)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The value of each target, in its own unit: shaped as the targets in ``fit`` were."""
        outputs = self._outputs(X)
        values = self.run_._told(outputs)
        return values[:, 0] if self._flat else values
