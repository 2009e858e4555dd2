"""Machines: what settles, learns and is programmed."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _lib
from ._experiment import Experiment, experiment, settings_of
from ._gradient import Gradient, Measurement, gradient_of

if TYPE_CHECKING:
    from ._lib import Learning
    from ._open import Rule


class Parameters(Mapping):
    """A machine's parameters by name: arrays in the machine's precision.

    What is read is a copy; :meth:`Machine.program` writes.
    """

    def __init__(self, machine: Instruments):
        self._machine = machine

    def _listed(self) -> list[tuple[str, np.ndarray, str]]:
        return self._machine._content.parameters()

    def __getitem__(self, name: str) -> np.ndarray:
        for own, values, _ in self._listed():
            if own == name:
                return values
        raise KeyError(f"{name}: expected one of {', '.join(self)}")

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _, _ in self._listed()])

    def __len__(self) -> int:
        return len(self._listed())

    @property
    def domains(self) -> dict[str, str]:
        """The values that each may take: ``"real"``, ``"-1 or 1"``, ``"fixed"`` or a range."""
        return {name: domain for name, _, domain in self._listed()}

    def __repr__(self) -> str:
        rows = [f"{n} {' x '.join(map(str, v.shape))} ({d})" for n, v, d in self._listed()]
        return f"<Parameters: {', '.join(rows)}>"


class Instruments:
    """A machine seen through its instruments: what a rule may do with it.

    Samples are rows: ``X`` is samples x inputs, values are samples x nodes. Nothing here looks
    inside; only :meth:`adjoint` asks for a model.
    """

    _content: _lib.Machine

    @property
    def inputs(self) -> int:
        """The number of driven inputs."""
        return self._content.shape[0]

    @property
    def outputs(self) -> int:
        """The number of output nodes."""
        _, start, stop = self._content.shape
        return stop - start

    @property
    def dtype(self) -> np.dtype:
        """The precision of the simulation: float32 or float64."""
        return np.dtype(self._content.precision)

    @property
    def parameters(self) -> Parameters:
        """What can be programmed, by name, with the values last programmed."""
        return Parameters(self)

    @property
    def description(self) -> str:
        """The machine in words."""
        return self._facts()["description"]

    @property
    def expense(self) -> dict[str, Any]:
        """What a laboratory would have spent so far: seconds, frames, conversions, pulses, energy
        (joule)."""
        return self._facts()["expense"]

    @property
    def non_reciprocity(self) -> float | None:
        """|W - W^T| / |W + W^T| of the couplings between nodes, in Frobenius norms."""
        return self._facts()["non_reciprocity"]

    @property
    def resolution(self) -> dict[str, float] | None:
        """The smallest forces that steady states tell from none: tolerance and noise."""
        return self._facts()["resolution"]

    def _facts(self) -> dict[str, Any]:
        return json.loads(self._content.facts())

    def settle(
        self,
        X: Any,
        *,
        beta: float | None = None,
        targets: Any = None,
        free: Measurement | None = None,
        correction: str | np.ndarray | None = None,
        dyadic: bool = False,
        cost: str = "squared-error",
        release: bool = False,
    ) -> Measurement:
        """Drives inputs ``X`` (samples x inputs), waits for the steady state and measures it.

        Without ``beta`` this is the free phase. With it the outputs are nudged by
        -beta dC/dv towards ``targets`` (samples x outputs), from the ``free`` steady state of the
        same inputs; ``correction`` is None, ``"digital-model"``, or the current of
        :meth:`held_current` (samples x nodes), which drives every array through its other ports.
        ``dyadic`` couples two copies. ``release`` lets go of the nudge afterwards, to see whether
        samples return.
        """
        if beta is None:
            if any(given is not None for given in (targets, free, correction)) or dyadic:
                raise ValueError("beta: expected a nudge, for targets, free, correction or dyadic")
            return Measurement(self._content.settle(X))
        if targets is None or free is None:
            raise ValueError("a nudge needs targets and the free measurement of the same inputs")
        asked: Learning = {
            "dyadic": dyadic,
            "beta": _number(beta, "beta"),
            "cost": cost,
            "targets": targets,
            "free": free._content,
            "correction": correction,
            "release": release,
        }
        return Measurement(self._content.settle(X, asked))

    def held_current(self, X: Any, free: Measurement) -> np.ndarray:
        """W v0 - W^T v0 at the ``free`` steady state of ``X``, measured: samples x nodes."""
        return self._content.held_current(X, free._content)

    def local_product(self, X: Any, d: Any, at: Any) -> Gradient:
        """The gradient, summed over samples, that a signal ``d`` makes at node values ``at``, both
        samples x nodes: -d dF/dtheta. Arithmetic on measured numbers."""
        return self._gradient(self._content.local_product(X, d, at))

    def _gradient(self, arrays: list[np.ndarray]) -> Gradient:
        domains = self.parameters.domains
        return gradient_of(domains, arrays, [n for n, d in domains.items() if d == "fixed"])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.inputs} inputs, {self.outputs} outputs>"


class Lent(Instruments):
    """A trainer's machine, lent to a rule for one estimate."""

    def __init__(self, content: _lib.Machine):
        self._content = content


class Machine(Instruments):
    """A machine that relaxes, untrained or trained.

        m = eq.Machine("wine-spim", device="spim-laboratory", seed=1, chip=2)
        r = m.settle(X)                                  # X: samples x inputs
        g = m.gradient(X, y, rule="asym-ep", beta=0.1)
        g.cosine(m.gradient(X, y, rule="adjoint"))

    ``config``, ``device``, ``laboratory``, ``set`` and settings are those of :func:`experiment`;
    the directory of a run gives its trained machine. Inputs are what is driven: features of a data
    set are scaled first, as ``run.scale`` does.
    """

    #: The experiment that it is of.
    experiment: Experiment
    #: The label of each output, if it was trained.
    classes: list[Any] | None
    _told: _lib.Targets | None

    def __init__(
        self,
        config: str | os.PathLike | Mapping[str, Any] | Experiment,
        *,
        device: str | os.PathLike | Mapping[str, Any] | None = None,
        laboratory: Any = None,
        set: Mapping[str, Any] | None = None,
        **settings: Any,
    ):
        if isinstance(config, (str, os.PathLike)) and os.path.isdir(config):
            from ._run import reopened

            facts, content, toml, classes, _ = reopened(config, settings_of(set, settings), device)
            self._content, self.classes, self._told = content, classes, facts.targets
            name = os.path.basename(os.path.normpath(config))
            self.experiment = Experiment(_lib.Experiment.of_toml(toml), name)
            if laboratory is not None:
                self.experiment = self.experiment.in_laboratory(laboratory)
                self._content = _lib.Machine.build(self.experiment._content)
                self._content.program([values for _, values, _ in content.parameters()])
            return
        chosen = {"device": device, "laboratory": laboratory, "set": set}
        self.experiment = experiment(config, **chosen, **settings)
        self.classes = self._told = None
        self._content = _lib.Machine.build(self.experiment._content)

    @classmethod
    def _of(
        cls,
        content: _lib.Machine,
        made_of: Experiment,
        classes: list[Any] | None,
        told: _lib.Targets | None = None,
    ) -> Machine:
        machine = cls.__new__(cls)
        machine._content, machine.experiment = content, made_of
        machine.classes, machine._told = classes, told
        return machine

    def targets(self, y: Any) -> np.ndarray:
        """The targets of labels ``y``, samples x outputs, as the experiment's objective has them.

        Labels are the classes of the run that trained it, or the numbers of the outputs from 0.
        Numbers of two dimensions, samples x outputs, are targets already; of a trained regression
        ``y`` are values in their own units.
        """
        from ._labels import labels_of, plain, values_of

        if self._told is not None:
            return self._told.shown(values_of(y, len(y))[0])

        array = np.asarray(y) if not isinstance(y, list) or (y and np.ndim(y[0]) == 1) else None
        if array is not None and array.ndim == 2 and (array.shape[1] > 1 or self.outputs == 1):
            return array
        labels = labels_of(y)
        if self.classes is not None:
            place = {plain(label): at for at, label in enumerate(self.classes)}
            unknown = next((label for label in labels if label not in place), None)
            if unknown is not None:
                raise ValueError(f"y: {unknown!r}: expected one of the classes {self.classes}")
            labels = [place[label] for label in labels]
        for at, label in enumerate(labels):
            if isinstance(label, float) and label.is_integer():
                labels[at] = label = int(label)
            if not isinstance(label, int) or label < 0:
                raise ValueError(
                    f"y: sample {at}: {label!r}: expected the number of an output, from 0 to "
                    f"{self.outputs - 1}, or targets, samples x {self.outputs} outputs"
                )
        return self._content.class_targets(self.experiment._content, labels)

    def gradient(
        self,
        X: Any,
        y: Any,
        rule: str | Mapping[str, Any] | Rule | None = None,
        beta: float | None = None,
        *,
        nudging: str | None = None,
        cost: str | None = None,
        update: int = 0,
    ) -> Gradient:
        """The gradient of the mean cost of a batch, as ``rule`` estimates it on this machine.

        ``X``: samples x inputs; ``y``: labels, or targets (samples x outputs). ``rule`` is a name
        (``"ep"``, ``"vector-field"``, ``"asym-ep"``, ``"dyadic-ep"``, ``"adjoint"``,
        ``"finite-differences"``, ``"spsa"``), a table such as
        ``{"asym-ep": {"correction": "digital-model"}}``, or a :class:`Rule` of one's own; what is
        not given is the experiment's. Noise differs from call to call, as on a bench.
        """
        from ._open import Rule

        own = rule if isinstance(rule, Rule) else None
        named = {"rule": None if own else rule, "beta": beta, "nudging": nudging, "cost": cost}
        changes: dict[str, Any] = {key: v for key, v in named.items() if v is not None}
        learning = self.experiment.changed(None, **changes)
        arrays, free, counts = self._content.estimate(
            X, self.targets(y), learning._content, own, update
        )
        found = self._gradient(arrays)
        found.free = Measurement(free)
        found.unsettled, found.left, found.truncated = counts
        return found

    def predict(self, X: Any) -> np.ndarray:
        """The class of each sample of inputs ``X`` (samples x inputs): its largest output; of a
        regression the values of targets, as :meth:`Run.predict` gives them."""
        from ._labels import array_of

        if self._told is not None:
            told = self._told(self.settle(X).outputs)
            return told[:, 0] if told.shape[1] == 1 else told
        if self.experiment.is_regression:
            raise ValueError(
                "this machine has not been trained: which values its outputs stand for is not known"
            )
        found = np.asarray(self._content.predict(X))
        return found if self.classes is None else array_of(self.classes)[found]

    def program(self, values: Mapping[str, Any]) -> None:
        """Programs parameters by name; those that are not named stay as they were programmed.

        Raises ``ValueError`` where a name is unknown or a shape differs.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f"values: {type(values).__name__}: expected arrays by parameter")
        own = self.parameters
        now = {name: array for name, array, _ in own._listed()}
        for name, array in values.items():
            if name not in now:
                raise ValueError(f"values[{name!r}]: expected one of {', '.join(now)}")
            array = np.asarray(array)
            if array.ndim == 1 and now[name].shape == (len(array), 1):
                array = array[:, None]
            now[name] = array
        self._content.program(list(now.values()))

    def load(
        self,
        source: str | os.PathLike | Mapping[str, Any],
        map: Mapping[str, str | list[str]] | None = None,
    ) -> None:
        """Programs the weights of a file (``.safetensors`` or ``.npz``), or of a dictionary such as
        PyTorch's ``state_dict()``.

        ``map`` gives the tensor of each parameter, or several to be put one below the other:
        ``{"0-1.weights": "fc1.weight", "bias": ["fc1.bias", "fc2.bias"]}``. Without it, tensors are
        called as the parameters are. Weights are outputs x inputs, as PyTorch's are.
        """
        if isinstance(source, Mapping):
            tensors, read = source, source.__getitem__
        else:
            path = os.fspath(source)
            if path.endswith(".safetensors"):
                tensors, read = None, lambda name: _lib.read_tensor(path, name)
            elif path.endswith(".npz"):
                tensors = np.load(path, allow_pickle=False)
                read = tensors.__getitem__
            else:
                raise ValueError(f"{path}: expected a file that ends in .safetensors or .npz")
        names = list(self.parameters)
        chosen = {name: name for name in names} if map is None else dict(map)
        for name in chosen:
            if name not in names:
                raise ValueError(f"map[{name!r}]: expected a parameter: {', '.join(names)}")
        values = {}
        for name, of in chosen.items():
            parts = []
            for tensor in [of] if isinstance(of, str) else list(of):
                if tensors is not None and tensor not in tensors:
                    raise ValueError(
                        f"map[{name!r}] = {tensor!r}: no such tensor; expected one of "
                        f"{', '.join(tensors)}"
                    )
                part = np.asarray(read(tensor))
                parts.append(part[:, None] if part.ndim == 1 else part)
            values[name] = np.concatenate(parts)
        self.program(values)

    def export(self, out: str | os.PathLike, to: str, **options: Any) -> dict[str, Any]:
        """Writes this machine for a device into the new directory ``out``: see :func:`export`."""
        from ._take_home import export

        with tempfile.TemporaryDirectory(prefix="equilux-") as place:
            run = os.path.join(place, "run")
            _lib.write_run(run, self.experiment._content, self._content.to_bytes())
            return export(run, out, to, **options)

    def copy(self) -> Machine:
        """Another machine that is as this one is now, hardware and counters included."""
        state = self._content.to_bytes()
        return _machine_of(self.experiment, state, self.classes, self._told)

    __copy__ = copy

    def __deepcopy__(self, memo: dict) -> Machine:
        return self.copy()

    def __reduce__(self):
        told = None if self._told is None else self._told.parts()
        return _machine_of, (self.experiment, self._content.to_bytes(), self.classes, told)

    def __repr__(self) -> str:
        layers = "-".join(map(str, self.experiment["network"]["layers"]))
        return f"<Machine {layers}: {self.description}>"


def _machine_of(
    made_of: Experiment, state: bytes, classes: list[Any] | None, told: Any = None
) -> Machine:
    content = _lib.Machine.build(made_of._content)
    content.restore(state, True)
    told = _lib.Targets(*told) if isinstance(told, tuple) else told
    return Machine._of(content, made_of, classes, told)


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} = {value!r}: expected a number") from None
    if not np.isfinite(number) or number == 0:
        raise ValueError(f"{name} = {value!r}: expected a number other than 0")
    return number
