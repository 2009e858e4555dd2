"""Equilux: analog and photonic hardware that learns by Equilibrium Propagation, simulated.

    import equilux as eq
    m = eq.Machine("wine-spim", device="spim-laboratory", chip=2)
    run = eq.train("digits-crossbar", epochs=5)

Samples are rows. Arrays are numpy's. Errors are ``ValueError`` with the words of the command line.
"""

import importlib

from . import crossbar, lab, spim
from ._devices import Device, device, devices
from ._experiment import Experiment, experiment, shipped, threads
from ._gradient import Gradient, Measurement
from ._lib import __version__
from ._machine import Machine
from ._open import Batch, Phase, Rule, Signal, System
from ._run import Epoch, Run, read_run, train
from ._study import Study, read_study, sweep
from ._take_home import export, load_data, report, verify

__all__ = [
    "Batch",
    "Device",
    "EPClassifier",
    "EPRegressor",
    "Epoch",
    "Experiment",
    "Gradient",
    "Machine",
    "Measurement",
    "Phase",
    "Rule",
    "Run",
    "Signal",
    "Study",
    "System",
    "__version__",
    "crossbar",
    "device",
    "devices",
    "experiment",
    "export",
    "lab",
    "load_data",
    "read_run",
    "read_study",
    "report",
    "shipped",
    "spim",
    "sweep",
    "threads",
    "train",
    "verify",
]


def __getattr__(name: str):
    # scikit-learn is asked for by whoever uses it.
    if name in ("EPClassifier", "EPRegressor"):
        from . import _estimators

        return getattr(_estimators, name)
    # So is slmsuite.
    if name == "slmsuite":
        return importlib.import_module(".slmsuite", __name__)
    raise AttributeError(f"module 'equilux' has no attribute {name!r}")


def __dir__():
    return __all__
