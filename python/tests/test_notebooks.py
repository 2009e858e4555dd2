"""The notebooks run, all of them in under three minutes."""

import time
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def test_every_notebook_runs():
    assert len(NOTEBOOKS) == 3
    begin = time.monotonic()
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        resources = {"metadata": {"path": path.parent}}
        nbclient.NotebookClient(notebook, timeout=170, resources=resources).execute()
        outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
        plots = [out for out in outputs if "image/png" in out.get("data", {})]
        assert len(plots) >= 1, path.name
    assert time.monotonic() - begin < 180
