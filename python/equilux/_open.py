"""What is open: rules and machines of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import _lib
from ._gradient import Measurement
from ._machine import Instruments, Lent


@dataclass(frozen=True)
class Batch:
    """What a rule learns from in one update."""

    #: Samples x inputs.
    inputs: np.ndarray
    #: Samples x outputs.
    targets: np.ndarray
    #: The cost of outputs against targets: ``"squared-error"`` or ``"cross-entropy"``.
    cost: str
    #: The number of the update.
    update: int


@dataclass(frozen=True)
class Signal:
    """What a rule found: a post-synaptic signal and the point at which its local product is formed.

    The gradient is the mean over the samples that are ``used`` of -d dF/dtheta at those values.
    """

    #: An estimate of the adjoint a (J^T a = dC/dv), samples x nodes.
    d: Any
    #: Node values, samples x nodes.
    at: Any
    #: The free phase.
    free: Measurement
    #: Samples that count; those that the free phase says, if absent.
    used: Any = None


class Rule:
    """A learning rule of one's own: :meth:`estimate` lets a machine settle as often as it needs,
    compares, and hands back a :class:`Signal`, or the gradient itself by parameter.

        class CentredNudge(eq.Rule):
            name = "centred-nudge"

            def estimate(self, machine, batch):
                free = machine.settle(batch.inputs)
                held = machine.held_current(batch.inputs, free)
                plus, minus = (
                    machine.settle(batch.inputs, beta=b, targets=batch.targets, free=free,
                                   correction=held, cost=batch.cost)
                    for b in (0.1, -0.1)
                )
                return eq.Signal(d=(plus.values - minus.values) / 0.2, at=free.values, free=free)
    """

    #: The name in results.
    name: str = "a rule of one's own"
    #: The strength of its nudge; None of a rule that does not nudge, or does not say.
    nudge: float | None = None

    def estimate(self, machine: Instruments, batch: Batch) -> Signal | tuple[Mapping, Measurement]:
        """The gradient of the mean cost of ``batch``: a :class:`Signal`, or a pair of a dictionary
        of arrays by parameter and the free measurement."""
        raise NotImplementedError(f"{type(self).__name__}.estimate")

    def _estimate(self, content, inputs, targets, cost, update):
        machine = Lent(content)
        found = self.estimate(machine, Batch(inputs, targets, cost, update))
        if isinstance(found, Signal):
            free, used = found.free, found.used
            parts = (found.d, found.at, None)
        elif isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], Mapping):
            gradient, free = found
            used = None
            names = list(machine.parameters)
            missing = [name for name in names if name not in gradient]
            if missing:
                raise ValueError(f"{self.name}: no gradient of {', '.join(missing)}")
            parts = (None, None, [gradient[name] for name in names])
        else:
            raise ValueError(
                f"{self.name}: {type(found).__name__}: expected a Signal, or a gradient by "
                "parameter with the free measurement"
            )
        if not isinstance(free, Measurement):
            raise ValueError(f"{self.name}: free: expected what machine.settle measured")
        return (free._content, free.used if used is None else np.asarray(used), *parts)


@dataclass(frozen=True)
class Phase:
    """What a machine is to do until it settles."""

    #: ``"free"``, ``"nudged"`` or ``"dyadic"``.
    name: str
    #: The strength of the nudge.
    beta: float = 0.0
    #: The cost of outputs against targets.
    cost: str = "squared-error"
    #: Samples x outputs.
    targets: np.ndarray | None = None
    #: The free steady state of the same inputs, samples x nodes.
    free: np.ndarray | None = None
    #: None, ``"port-reversal"`` or ``"digital-model"``.
    correction: str | None = None
    #: The current that is held under port reversal, samples x nodes.
    held: np.ndarray | None = field(default=None, repr=False)

    def force(self, outputs: np.ndarray) -> np.ndarray:
        """The nudge -beta dC/dv at values of the outputs, samples x outputs."""
        if self.targets is None:
            raise ValueError("a free phase has no nudge")
        return -self.beta * _lib.cost_slopes(self.cost, outputs, self.targets)


class System:
    """A machine of one's own. It says what it is, settles, and forms its local product.

    A phase that it has not is refused by an exception. It has no state for checkpoints: runs of it
    are kept in memory. The tests of the package have one whole: two nodes and a diode.
    """

    #: The number of driven inputs.
    inputs: int = 0
    #: Where outputs begin and end among the nodes.
    outputs: tuple[int, int] = (0, 0)
    #: The values that parameters may take: ``"real"`` unless it is said here, ``"binary"``,
    #: ``"fixed"`` or (low, high).
    domains: Mapping[str, Any] = {}

    def describe(self) -> str:
        """What it is, in a few words."""
        return type(self).__name__

    def parameters(self) -> Mapping[str, np.ndarray]:
        """What can be programmed, by name: matrices with the values that it begins with."""
        raise NotImplementedError(f"{type(self).__name__}.parameters")

    def program(self, values: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray] | None:
        """Programs new values; returns what the hardware holds where it is the only memory."""
        raise NotImplementedError(f"{type(self).__name__}.program")

    def settle(self, X: np.ndarray, phase: Phase) -> Any:
        """Drives ``X`` (samples x inputs) and waits for the steady state of ``phase``: values,
        samples x nodes, or a tuple of values and whether each sample settled, and in the dyadic
        phase the difference of the two copies."""
        raise NotImplementedError(f"{type(self).__name__}.settle")

    def held_current(self, X: np.ndarray, free: np.ndarray) -> np.ndarray:
        """W v0 - W^T v0 at the free steady state, samples x nodes, of a machine that can be driven
        backwards."""
        raise ValueError(
            f"this machine ({self.describe()}) cannot be driven through its other ports: choose "
            "another learning.rule"
        )

    def local_product(self, X: np.ndarray, d: np.ndarray, at: np.ndarray) -> Mapping[str, Any]:
        """-d dF/dtheta at node values ``at``, summed over samples, by parameter."""
        raise NotImplementedError(f"{type(self).__name__}.local_product")

    def adjoint(self, X: np.ndarray, cost: str, targets: np.ndarray) -> tuple | None:
        """The yardstick: free values and the adjoint a of J^T a = dC/dv, both samples x nodes; None
        where there is no model."""
        return None

    def expense(self) -> float:
        """Seconds that a laboratory would have spent so far."""
        return 0.0

    def _facts(self):
        inputs, (start, stop) = int(self.inputs), map(int, self.outputs)
        if inputs < 1 or not 0 <= start < stop:
            raise ValueError(
                f"{type(self).__name__}: inputs = {inputs}, outputs = {(start, stop)}: expected at "
                "least one of both"
            )
        named = dict(self.parameters())
        rows = [(n, np.asarray(v), self.domains.get(n, "real")) for n, v in named.items()]
        return self.describe(), inputs, (start, stop), rows

    def _settle(self, X, asked):
        phase = Phase(**asked)
        found = self.settle(X, phase)
        parts = found if isinstance(found, tuple) else (found,)
        if not 1 <= len(parts) <= 3:
            raise ValueError("settle: expected values, (values, settled) or these and difference")
        values, settled, difference = (*parts, None, None)[:3]
        settled = None if settled is None else np.asarray(settled)
        return values, settled, difference
