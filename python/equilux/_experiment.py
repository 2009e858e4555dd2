"""Experiments: a name, a path or a dictionary, with settings."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import _lib

#: Settings that have a short name as keyword arguments.
SHORT = {
    "epochs": "training.epochs",
    "batch": "training.batch",
    "rule": "learning.rule",
    "beta": "learning.beta",
    "nudging": "learning.nudging",
    "cost": "learning.cost",
    "layers": "network.layers",
}


def threads(count: int = 0) -> None:
    """Compute with ``count`` threads from now on; 0, as at first, is one a core.

    Results do not depend on it.
    """
    _lib.set_threads(count)


def shipped() -> list[str]:
    """The names of the experiments that come with the program."""
    return _lib.Experiment.shipped()


def _plain(value: Any, name: str) -> Any:
    """A value that TOML and JSON have, of one of Python or numpy."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise ValueError(f"{name}: the key {key!r}: expected a string")
        return {key: _plain(inner, f"{name}.{key}") for key, inner in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(inner, name) for inner in value]
    raise ValueError(
        f"{name} = {value!r}: expected a number, a string, True or False, a list or a dictionary"
    )


def _toml(value: Any) -> str:
    """A plain value as TOML in one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)  # inf and nan are spelt alike
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def settings_of(changes: Mapping[str, Any] | None, keywords: Mapping[str, Any]) -> list[str]:
    """The changes as ``key=value``, in the words of ``--set``.

    A keyword is a key of the experiment (``seed=3``), a short name (``epochs=5``), or a key with
    two underscores for each dot (``device__spim__camera__bits=10``).
    """
    if changes is not None and not isinstance(changes, Mapping):
        raise ValueError(f"set = {changes!r}: expected a dictionary of keys and values")
    named = {SHORT.get(key, key.replace("__", ".")): value for key, value in keywords.items()}
    named.update(changes or {})
    listed = []
    for key, value in named.items():
        value = _plain(value, str(key))
        # A table changes what it names and leaves the rest.
        todo = [(key, value)]
        while todo:
            key, value = todo.pop(0)
            if isinstance(value, dict) and value:
                todo[:0] = [(f"{key}.{inner}", deeper) for inner, deeper in value.items()]
            else:
                listed.append(f"{key}={_toml(value)}")
    return listed


class Experiment:
    """A validated experiment: what a machine is, what it learns and how.

    Made by :func:`experiment`. ``e["training"]["epochs"]`` reads it, :meth:`changed` gives another.
    """

    def __init__(self, content: _lib.Experiment, name: str):
        self._content = content
        #: What runs of it are called.
        self.name = name

    def changed(self, set: Mapping[str, Any] | None = None, **settings: Any) -> Experiment:
        """This experiment with other values, as ``--set`` gives them on the command line."""
        listed = settings_of(set, settings)
        return Experiment(self._content.with_settings(listed), self.name) if listed else self

    def on_device(self, sheet: str | os.PathLike) -> Experiment:
        """This experiment with every array on the device of a datasheet, or ``"exact"``."""
        return Experiment(self._content.on_device(os.fspath(sheet)), self.name)

    def in_laboratory(self, laboratory: Any) -> Experiment:
        """This experiment with an instrument in the place of the simulated one: an address
        ``HOST:PORT``, a command, or an instrument of :mod:`equilux.lab`; ``"none"`` simulates."""
        from .lab import place

        return Experiment(self._content.in_laboratory(place(laboratory)), self.name)

    @property
    def is_regression(self) -> bool:
        """Whether it learns values of targets, not classes."""
        return self["data"].get("task") == "regression"

    def to_dict(self) -> dict[str, Any]:
        """Every key with its value, as nested dictionaries."""
        return json.loads(self._content.to_json())

    def to_toml(self) -> str:
        """The experiment as a TOML file that runs as it stands."""
        return self._content.to_toml()

    def __getitem__(self, key: str) -> Any:
        return self.to_dict()[key]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Experiment) and self.to_toml() == other.to_toml()

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self):
        return _experiment_of_toml, (self.to_toml(), self.name)

    def __repr__(self) -> str:
        what = self.to_dict()
        layers = "-".join(map(str, what["network"]["layers"]))
        rule = what["learning"]["rule"]
        rule = rule if isinstance(rule, str) else next(iter(rule))
        return f"<Experiment {self.name}: {layers} by {rule}, {self._content.describe()}>"


def _experiment_of_toml(text: str, name: str) -> Experiment:
    return Experiment(_lib.Experiment.of_toml(text), name)


def experiment(
    config: str | os.PathLike | Mapping[str, Any] | Experiment,
    *,
    device: str | os.PathLike | Mapping[str, Any] | None = None,
    laboratory: Any = None,
    set: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Experiment:
    """The experiment ``config``: one that comes with the program, by name, a TOML file's path, or
    a dictionary of its tables.

    ``device`` is a datasheet's name or path, ``"exact"``, or a dictionary for the table
    ``[device]``. ``laboratory`` puts a real instrument in the place of the simulated one: an
    address ``HOST:PORT``, a command, or an instrument of :mod:`equilux.lab`; ``"none"`` simulates.
    Everything else changes keys: ``seed=3``, ``epochs=5``,
    ``device__spim__camera__bits=10``, or ``set={"device.spim.camera.bits": 10}``.

    Raises ``ValueError`` where a key is unknown (with the nearest known one) or a value is wrong.
    """
    if isinstance(device, Mapping):
        settings["device"], device = device, None
    if isinstance(laboratory, Mapping):
        settings["laboratory"], laboratory = laboratory, None
    listed = settings_of(set, settings)
    if isinstance(config, Experiment):
        made = Experiment(config._content.with_settings(listed), config.name)
    elif isinstance(config, Mapping):
        text = json.dumps(_plain(config, "the experiment"))
        made = Experiment(_lib.Experiment.of_json(text, listed), "experiment")
    elif isinstance(config, (str, os.PathLike)):
        path = os.fspath(config)
        name = os.path.splitext(os.path.basename(path))[0]
        made = Experiment(_lib.Experiment.find(path, listed), name)
    else:
        raise ValueError(
            f"config = {config!r}: expected the name of an experiment, a path or a dictionary"
        )
    if device is not None:
        # A sheet's numbers replace those of the experiment; settings stand above both.
        made = Experiment(made.on_device(device)._content.with_settings(listed), made.name)
    return made if laboratory is None else made.in_laboratory(laboratory)
