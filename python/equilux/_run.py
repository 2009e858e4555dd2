"""Training runs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import _lib, lab
from ._experiment import Experiment, experiment, settings_of
from ._labels import labels_of, read_classes, texts_of, values_of
from ._machine import Machine
from ._open import Rule, System
from ._progress import bar as progress_bar


class Epoch(dict):
    """One epoch of a run: a row of its metrics. Values are items and attributes."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __repr__(self) -> str:
        cost = "-" if self.train_cost is None else f"{self.train_cost:.4g}"
        return f"epoch {self.epoch}: {score(self, 'test')}, {score(self, 'train')}, cost {cost}"


def score(of: Mapping[str, Any], part: str) -> str:
    """How well a machine does on a part, in words."""
    if f"{part}_r2" in of:
        return f"{part} R2 {of[f'{part}_r2']:.4f}"
    return f"{part} {100 * of[f'{part}_accuracy']:.2f} %"


class Run:
    """A training run that has ended: what came of it, and the machine that it trained."""

    #: The machine as training left it: of a run in a laboratory the simulated one, None where only
    #: the laboratory has it.
    machine: Machine | System | None
    #: The experiment.
    experiment: Experiment
    #: Where it was written; None of a run that was kept in memory.
    directory: Path | None
    #: The outcome, as ``summary.json`` has it.
    summary: dict[str, Any]
    #: What a reader of the scores should know.
    warnings: list[str]
    #: The label of each output; None where outputs stand for targets.
    classes: list[Any] | None
    #: The target of each output; None where outputs stand for classes.
    targets: list[str] | None
    #: One row an epoch.
    history: list[Epoch]

    def __init__(self, machine, made_of, directory, summary, warnings, classes, history, facts):
        self.machine = machine
        self.experiment, self.directory, self.summary = made_of, directory, summary
        self.warnings, self.classes, self.history = warnings, classes, history
        self._scaler, self._told = facts.scaler, facts.targets
        self.targets = None if self._told is None else self._told.names()

    @property
    def metrics(self) -> Any:
        """One row an epoch: a pandas ``DataFrame`` if pandas is there, else a list of rows."""
        try:
            import pandas
        except ImportError:
            return self.history
        return pandas.DataFrame([dict(row) for row in self.history])

    def _score(self, key: str) -> float:
        if key not in self.summary:
            learnt = "targets: it has test_r2 and train_r2"
            if self._told is None:
                learnt = "classes: it has test_accuracy and train_accuracy"
            raise AttributeError(f"{key}: this run learnt {learnt}")
        return self.summary[key]

    @property
    def test_accuracy(self) -> float:
        """Accuracy on the test part, 0 to 1."""
        return self._score("test_accuracy")

    @property
    def train_accuracy(self) -> float:
        """Accuracy on the training part, 0 to 1."""
        return self._score("train_accuracy")

    @property
    def test_r2(self) -> float:
        """R2 on the test part of a regression; the mean of several targets."""
        return self._score("test_r2")

    @property
    def train_r2(self) -> float:
        """R2 on the training part of a regression; the mean of several targets."""
        return self._score("train_r2")

    def scale(self, X: Any) -> np.ndarray:
        """Features (samples x features) as the inputs of the machine: scaled as in training."""
        return self._scaler(X)

    def settle(self, X: Any) -> Any:
        """The free steady state for features ``X``: see :meth:`Machine.settle`."""
        return self.machine.settle(self.scale(X))

    def predict(self, X: Any) -> np.ndarray:
        """The label of each sample of features ``X``; of a regression the value of the target in
        its own unit, or of several targets, samples x targets."""
        return self.machine.predict(self.scale(X))

    def score(self, X: Any, y: Any) -> float:
        """The fraction of the samples whose label is that of their largest output; of a regression
        R2, the mean of several targets."""
        if self._told is not None:
            told = self.predict(X)
            known, _ = values_of(y, len(told))
            return self._told.fit(known, told.reshape(known.shape))[0]
        labels = labels_of(y)
        found = self.predict(X)
        if len(found) != len(labels):
            raise ValueError(f"y: {len(labels)} labels, X has {len(found)} samples")
        return float(np.mean([a == b for a, b in zip(found.tolist(), labels)]))

    def _at(self) -> Path:
        if self.directory is None:
            raise ValueError("this run was kept in memory: expected one with a directory")
        return self.directory

    def evaluate(
        self,
        *,
        device: str | None = None,
        laboratory: Any = None,
        set: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> dict[str, Any]:
        """How well the trained machine does, as it is, on another device or noise, or in a
        laboratory (see :func:`experiment`); a summary, as ``equilux evaluate`` prints it."""
        listed = settings_of(set, settings)
        place = None if laboratory is None else lab.place(laboratory)
        _, _, summary = _lib.reopen(self._at(), listed, device, place, True)
        assert summary is not None, "it was asked for"
        return json.loads(summary)

    def export(self, out: str | os.PathLike, to: str, **options: Any) -> dict[str, Any]:
        """Writes the trained machine for a device: see :func:`export`."""
        from ._take_home import export

        return export(self._at(), out, to, **options)

    def report(self) -> Path:
        """The page of this run, with its plots."""
        return self._at() / "report.html"

    def __getstate__(self) -> dict[str, Any]:
        if isinstance(self.machine, System):
            return self.__dict__
        told = None if self._told is None else self._told.parts()
        return {**self.__dict__, "_scaler": self._scaler.parts(), "_told": told}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if isinstance(self._scaler, tuple):
            self._scaler = _lib.Scaler(*self._scaler)
        if isinstance(self._told, tuple):
            self._told = _lib.Targets(*self._told)

    def __repr__(self) -> str:
        name = self.directory or f"{self.experiment.name}, in memory"
        epochs, samples = len(self.history), self.summary["test_samples"]
        return (
            f"<Run {name}: {epochs} epochs, {score(self.summary, 'test')} of {samples}, "
            f"{self.summary['machine']}>"
        )


def _rows(metrics: str) -> list[Epoch]:
    return [Epoch(row) for row in json.loads(metrics)]


def train(
    config: str | os.PathLike | Mapping[str, Any] | Experiment | None = None,
    *,
    X: Any = None,
    y: Any = None,
    device: str | os.PathLike | Mapping[str, Any] | None = None,
    laboratory: Any = None,
    machine: System | None = None,
    rule: str | Mapping[str, Any] | Rule | None = None,
    out: str | os.PathLike | bool | None = None,
    resume: bool = False,
    callback: Callable[[Epoch], Any] | None = None,
    progress: bool | None = None,
    set: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Run:
    """Trains a machine as an experiment says: the same bits as ``equilux train``.

        run = eq.train("digits-crossbar", epochs=5)
        run = eq.train("digits-crossbar", X=X, y=y, callback=print)

    ``config``, ``device``, ``laboratory``, ``set`` and settings are those of :func:`experiment`.
    ``X`` (samples x features) and ``y`` (a label each, of any hashable kind; of a regression,
    ``data.task = "regression"``, numbers, samples or samples x targets) take the place of its
    data; they are split and scaled as it says, and the network's first and last layer follow them
    where they are given a ``config`` that is a dictionary without layers.

    The run goes to the directory ``out``, ``runs/NAME`` unless it is named; ``out=False`` writes
    nothing. ``resume`` goes on with it. ``rule`` may be a :class:`Rule` of one's own and
    ``machine`` a :class:`System`: such runs are kept in memory, as no file could run them again.

    ``callback`` is called with each :class:`Epoch`; what it raises ends training, as Ctrl-C does:
    the directory then holds a checkpoint of where it stopped to go on from, to the same bits.
    ``progress`` shows a bar of tqdm (default: if it is installed and output is a terminal or a
    notebook).
    """
    own_rule = rule if isinstance(rule, Rule) else None
    if rule is not None and own_rule is None:
        settings["rule"] = rule
    if config is None:
        if machine is None:
            raise ValueError("config: expected an experiment, or a machine of your own")
        config = {}
    if machine is not None:
        if not isinstance(machine, System):
            raise ValueError(f"machine: {type(machine).__name__}: expected an equilux.System")
        start, stop = machine.outputs
        settings["layers"] = [int(machine.inputs), int(stop - start)]
    made_of = experiment(config, device=device, laboratory=laboratory, set=set, **settings)
    place, path = _place(out, resume, own_rule, machine)
    own: dict[str, Any] = {"data": None, "system": machine, "rule": own_rule}
    back = None
    if (X is None) != (y is None):
        raise ValueError(f"{'X' if X is None else 'y'}: expected both X and y, or neither")
    if X is not None:
        X = np.asarray(X)
        samples = len(X) if X.ndim else 0
        if made_of.is_regression:
            own["data"] = (X, *values_of(y, samples), 0)
        else:
            texts, back = texts_of(labels_of(y, samples))
            own["data"] = (X, texts, [], 0)
    content = _lib.Run.open(made_of._content, made_of.name, place, path, own)
    return conduct(content, made_of, back, callback, progress, machine)


def _place(out, resume: bool, own_rule, machine) -> tuple[str, str | None]:
    """Where a run goes: nowhere, to a new directory, or on in one."""
    if own_rule is not None or machine is not None:
        if resume or out not in (None, False):
            raise ValueError(
                "out: a directory says how a run is done again, and cannot say a rule or a machine "
                "of your own: expected out=False"
            )
        return "memory", None
    if out is False:
        if resume:
            raise ValueError("resume: expected a directory, found out=False")
        return "memory", None
    if out is True:
        out = None
    return ("resume" if resume else "new"), (None if out is None else os.fspath(out))


def conduct(content, made_of, back, callback, progress, machine=None) -> Run:
    """Trains a run that is open, and makes of it what a user keeps."""
    warnings = content.warnings()
    facts = content.facts()
    epochs = made_of["training"]["epochs"]
    done = len(json.loads(facts.metrics)) * facts.train_samples
    bar = progress_bar(progress, "sample", epochs * facts.train_samples, done)

    def hear(what: str, text: str) -> None:
        told = json.loads(text)
        if what == "epoch":
            row = Epoch(told)
            if bar is not None:
                bar.n = row.epoch * facts.train_samples
                bar.set_postfix_str(score(row, "test"))
            if callback is not None:
                callback(row)
        elif bar is not None:
            bar.n = (told["epoch"] - 1) * facts.train_samples + told["samples"]
            bar.refresh()

    try:
        content.train(hear)
        summary = json.loads(content.finish())
    except KeyboardInterrupt:
        done, where = len(json.loads(content.facts().metrics)), facts.directory
        kept = (
            f"{where} holds the checkpoint: eq.train(..., out={str(where)!r}, resume=True) goes on "
            "to the same bits"
            if where is not None
            else "it was kept in memory, and nothing of it is left"
        )
        raise KeyboardInterrupt(f"stopped after epoch {done} of {epochs}; {kept}") from None
    finally:
        if bar is not None:
            bar.close()
    facts = content.facts()
    made_of = Experiment(_lib.Experiment.of_toml(facts.toml), made_of.name)
    classes = classes_of(facts, back)
    trained = machine
    if trained is None and (own := content.machine()) is not None:
        trained = Machine._of(own, made_of, classes, facts.targets)
    warnings += summary.pop("warnings")
    directory = None if facts.directory is None else Path(facts.directory)
    history = _rows(facts.metrics)
    return Run(trained, made_of, directory, summary, warnings, classes, history, facts)


def classes_of(facts, back=None) -> list[Any] | None:
    """The classes of a run, by the texts of which ``back`` says what they are."""
    if facts.targets is not None:
        return None
    names = facts.classes
    return read_classes(names) if back is None else [back[name] for name in names]


def reopened(directory, settings: list[str], device):
    facts, content, summary = _lib.reopen(
        os.fspath(directory), settings, None if device is None else os.fspath(device), None, False
    )
    return facts, content, facts.toml, classes_of(facts), summary


def read_run(
    directory: str | os.PathLike,
    *,
    device: str | os.PathLike | None = None,
    set: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Run:
    """The run in ``directory``, as it is or as ``device``, ``set`` and settings change it: the same
    chip, whatever it is read with and when. Classes that are numbers are read as numbers."""
    facts, content, toml, classes, summary = reopened(directory, settings_of(set, settings), device)
    if summary is None:
        raise ValueError(f"{directory}: this run has no checkpoint: it ended in its first epoch")
    summary = json.loads(summary)
    name = os.path.basename(os.path.normpath(directory))
    made_of = Experiment(_lib.Experiment.of_toml(toml), name)
    machine = Machine._of(content, made_of, classes, facts.targets)
    warnings = summary.pop("warnings")
    rows = _rows(facts.metrics)
    return Run(machine, made_of, Path(directory), summary, warnings, classes, rows, facts)
