"""Datasheets: every number of a device with its unit and its source."""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from . import _lib


class Number(NamedTuple):
    """One number of a datasheet."""

    value: Any
    unit: str
    source: str


class Device(dict):
    """A datasheet: :class:`Number` by key, such as ``d["camera.bits"]``."""

    #: Its name or path.
    name: str
    #: The kind of device: ``"spim"`` or ``"crossbar"``.
    kind: str
    #: What it is, in words.
    title: str

    @property
    def assumed(self) -> list[str]:
        """The keys of numbers without a measurement behind them."""
        return [key for key, number in self.items() if number.source.startswith("assumed")]

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(key)}</td><td>{escape(str(n.value))}</td><td>{escape(n.unit)}</td>"
            f"<td style='text-align:left'>{escape(n.source)}</td></tr>"
            for key, n in self.items()
        )
        return (
            f"<b>{escape(self.title)}</b> ({self.kind})<table><tr><th>key</th><th>value</th>"
            f"<th>unit</th><th>source</th></tr>{rows}</table>"
        )

    def __repr__(self) -> str:
        return (
            f"<Device {self.name} ({self.kind}): {self.title}; {len(self)} numbers, "
            f"{len(self.assumed)} of them assumed>"
        )


def devices() -> list[str]:
    """The names of the datasheets that come with the program."""
    return [name for name, _, _ in _lib.devices()]


def device(name: str | os.PathLike) -> Device:
    """The datasheet ``name``, or the file of that path, checked."""
    name = os.fspath(name)
    kind, title, numbers = _lib.device(name)
    made = Device({key: Number(**number) for key, number in json.loads(numbers).items()})
    made.name, made.kind, made.title = name, kind, title
    return made
