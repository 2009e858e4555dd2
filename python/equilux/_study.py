"""Studies: many runs that answer one question."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from . import _lib
from ._progress import bar as progress_bar


class Study:
    """A study that was swept: its runs, and statistics of its points over seeds."""

    def __init__(self, directory: str | os.PathLike, content: dict[str, Any]):
        #: Where it is.
        self.directory = Path(directory)
        #: The question that it answers.
        self.title: str = content["title"]
        #: The keys of its axes.
        self.keys: list[str] = content["keys"]
        #: The result that tells how good a run was.
        self.metric: str = content["metric"]
        #: How many runs it has.
        self.runs: int = content["runs"]
        self._content = content

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The runs that failed, each with its error."""
        return [row for row in self._rows() if row["error"] is not None]

    def _rows(self) -> list[dict[str, Any]]:
        names = self._content["results"]
        rows = []
        for row in self._content["rows"]:
            results = row["results"] or [None] * len(names)
            values = dict(zip(self.keys, map(_value, row["values"])))
            first = {"run": row["run"], "id": row["id"], "seed": row["seed"], "chip": row["chip"]}
            rows.append({**first, **values, **dict(zip(names, results)), "error": row["error"]})
        return rows

    @property
    def results(self) -> Any:
        """One row a run: a pandas ``DataFrame`` if pandas is there, else a list of dictionaries."""
        return _frame(self._rows())

    def points(self, result: str | None = None) -> Any:
        """One row a point of the axes: mean, standard deviation and the ends of the 95 % interval
        over seeds of a ``result``, by default the study's metric."""
        result = result or self.metric
        names = self._content["results"]
        if result not in names:
            raise ValueError(f"result = {result!r}: expected one of {', '.join(names)}")
        rows = []
        for point in self._content["points"]:
            of = point["statistics"][names.index(result)] or {}
            values = dict(zip(self.keys, map(_value, point["values"])))
            low, high = of.get("interval") or (None, None)
            numbers = {
                "mean": of.get("mean"),
                "deviation": of.get("deviation"),
                "low": low,
                "high": high,
            }
            rows.append({**values, "done": point["done"], "failed": point["failed"], **numbers})
        return _frame(rows)

    def report(self) -> Path:
        """Writes its page with plots anew, and returns where it is."""
        from ._take_home import report

        return report(self.directory)

    def __repr__(self) -> str:
        done = len(self._content["rows"])
        return f"<Study {self.directory}: {self.title!r}, {done} of {self.runs} runs ended>"


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _frame(rows: list[dict[str, Any]]) -> Any:
    try:
        import pandas
    except ImportError:
        return rows
    return pandas.DataFrame(rows)


def read_study(directory: str | os.PathLike) -> Study:
    """The study in ``directory``, as far as its runs have ended."""
    return Study(directory, json.loads(_lib.read_study(os.fspath(directory))))


def sweep(
    study: str | os.PathLike,
    *,
    out: str | os.PathLike | None = None,
    jobs: int | None = None,
    shard: str | None = None,
    retry_failed: bool = False,
    progress: bool | None = None,
) -> Study:
    """Does the runs of the study in a TOML file that its directory does not have yet, ``jobs`` at a
    time (default: one a core), each on one core.

    The directory is ``studies/NAME`` unless ``out`` names it. Ctrl-C ends it without loss of the
    runs that are done; the same call goes on.
    """
    study = os.fspath(study)
    name = os.path.splitext(os.path.basename(study))[0]
    place = os.path.join("studies", name) if out is None else os.fspath(out)
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs = {jobs}: expected a whole number of at least 1")
    bar = progress_bar(progress, "run")

    def hear(_: str, text: str) -> None:
        if bar is not None:
            told = json.loads(text)
            bar.total, bar.n = told["runs"], told["ended"]
            bar.refresh()

    try:
        _lib.sweep(study, place, jobs, shard, retry_failed, hear)
    finally:
        if bar is not None:
            bar.close()
    return read_study(place)
