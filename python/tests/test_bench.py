"""Bench instruments against formulas, and against the command line."""

import json
import subprocess
import sys

import numpy as np
import pytest

import equilux as eq

G = np.random.default_rng(2).uniform(1e-6, 25e-6, size=(6, 4))
V = np.linspace(0.05, 0.2, 6)


def command(*arguments):
    words = [sys.executable, "-m", "equilux", *map(str, arguments), "--json"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_without_wires_currents_are_products():
    np.testing.assert_allclose(eq.crossbar.solve(G, V), G.T @ V, rtol=1e-12)
    np.testing.assert_allclose(eq.crossbar.solve(G, V[:4], reversed=True), G @ V[:4], rtol=1e-12)
    np.testing.assert_allclose(eq.crossbar.compile(G), G, rtol=1e-12)
    in_us = eq.crossbar.solve(G * 1e6, V, unit="uS")
    np.testing.assert_allclose(in_us, G.T @ V, rtol=1e-12)
    np.testing.assert_allclose(eq.crossbar.solve(1 / G, V, unit="ohm"), G.T @ V, rtol=1e-12)


def test_wires_follow_kirchhoff():
    found = eq.crossbar.solve(G, V, r_word=10.0, r_bit=5.0, voltages=True)
    cells = G * (found.word - found.bit)
    np.testing.assert_allclose(cells.sum(axis=0), found.currents, rtol=1e-9)
    # Along a word line the current of a segment is that of all cells behind it.
    segments = np.cumsum(cells[:, ::-1], axis=1)[:, ::-1]
    left = np.concatenate([V[:, None], found.word[:, :-1]], axis=1)
    np.testing.assert_allclose((left - found.word) / 10.0, segments, rtol=1e-6)
    E = eq.crossbar.compile(G, r_word=10.0, r_bit=5.0)
    np.testing.assert_allclose(E.T @ V, found.currents, rtol=1e-9)


def test_the_same_as_the_command_line(tmp_path):
    np.save(tmp_path / "cells.npy", G * 1e6)
    np.save(tmp_path / "volts.npy", V)
    options = ["--device", "pcm-joshi", "--at", "1 h", "--seed", 4, "--unit", "uS"]
    told = command(
        "crossbar",
        "solve",
        "--cells",
        tmp_path / "cells.npy",
        "--volts",
        tmp_path / "volts.npy",
        *options,
    )
    found = eq.crossbar.solve(G * 1e6, V, unit="uS", device="pcm-joshi", at="1 h", seed=4)
    assert told["currents_A"] == found.tolist()


@pytest.mark.parametrize(
    "arguments, options, words",
    [
        ((G, V[:4]), {}, "volts: expected 6 voltages, one a word line, found 4"),
        ((-G, V), {}, "cells: row 1, column 1: expected a conductance of at least 0 S"),
        ((G, V), {"unit": "siemens"}, 'unit = "siemens": expected one of nS'),
        ((G, V), {"r_word": -1.0}, "--r-word -1: expected a resistance of at least 0 ohm"),
        ((G, V), {"device": "spim-generic"}, "describes no crossbar"),
        ((G * 1e6, V), {"device": "pcm-joshi"}, "out of the device's range"),
        ((G, V), {"at": "1 h"}, "only a device drifts"),
        ((G, V), {"device": "pcm-joshi", "at": "soon"}, 'at = "soon"'),
        ((G * np.nan, V), {}, "cells: row 0, column 0"),
        ((G.astype(str), V), {}, "cells: an array of dtype"),
        ((G, "volts"), {}, "volts: an array of dtype"),
        ((G[0], V), {}, "cells: an array of 1 dimensions"),
    ],
)
def test_what_is_no_array(arguments, options, words):
    with pytest.raises(ValueError, match=words):
        eq.crossbar.solve(*arguments, **options)


VALUES = [1.0, -0.5, 0.25, 0.0]
SHEET = {"panel__macro_pixel_px": 8}


def test_masks_show_values():
    masks = eq.spim.encode(VALUES, **SHEET)
    assert len(masks) == 1 and masks.bits == 8 and masks[0].dtype == np.uint16
    assert "1 masks of" in repr(masks)
    seen = eq.spim.frame(masks[0], **SHEET)
    # The zero order is the square of the mean of what is shown; levels round arccos.
    assert seen.zero_order == pytest.approx(np.mean(VALUES) ** 2, abs=2e-2)
    effective = eq.spim.frame(masks[0], tier="effective", nodes=4, **SHEET)
    assert effective.zero_order == pytest.approx(seen.zero_order, rel=1e-6)
    image = eq.spim.frame(masks[0], image=True, at=[(0, 0), (0.25, -0.1)], **SHEET)
    assert image.image.shape == masks[0].shape and image.photograph.shape == masks[0].shape
    assert image.image[masks[0].shape[0] // 2, masks[0].shape[1] // 2] == pytest.approx(
        seen.zero_order
    )
    assert list(image.intensities) == [(0.0, 0.0), (0.25, -0.1)]
    assert np.asarray(image).shape == masks[0].shape and "zero order" in repr(image)


def test_masks_are_those_of_the_command_line(tmp_path):
    np.savetxt(tmp_path / "v.csv", VALUES, delimiter=",")
    patterns = np.array([[1, -1], [1, 1], [-1, 1], [1, -1]], float)
    np.save(tmp_path / "xi.npy", patterns)
    options = ["--device", "hamamatsu-x15213", "--seed", 3, "--chip", 2]
    told = command(
        "spim",
        "encode",
        tmp_path / "v.csv",
        "--patterns",
        tmp_path / "xi.npy",
        "--out",
        tmp_path / "m.png",
        *options,
    )
    masks = eq.spim.encode(VALUES, patterns, device="hamamatsu-x15213", seed=3, chip=2)
    assert len(told["files"]) == len(masks) == 2
    for file, mask in zip(told["files"], masks):
        by_file = eq.spim.frame(file, device="hamamatsu-x15213", seed=3, chip=2)
        by_array = eq.spim.frame(mask, device="hamamatsu-x15213", seed=3, chip=2)
        assert by_file.camera == by_array.camera
        told_frame = command("spim", "frame", file, *options)
        assert told_frame["camera"] == by_array.camera
        assert told_frame["zero_order"] == by_array.zero_order


def test_tiers_are_compared():
    found = eq.spim.agree("spim-generic", samples=2)
    assert found["all"]["effective"] <= found["all"]["analytic"] + 1e-12


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: eq.spim.encode([1.5]), r"values: row 1, column 1: expected a number in \[-1, 1\]"),
        (lambda: eq.spim.encode([0.5], [[1.0], [1.0]]), r"patterns: expected 1 rows"),
        (lambda: eq.spim.encode(np.zeros((2, 2))), r"values: an array of 2 x 2: expected a vector"),
        (lambda: eq.spim.encode([0.5], reference="half"), r"reference = 'half'"),
        (lambda: eq.spim.encode([0.5], device="pcm-joshi"), r"expected a spim"),
        (lambda: eq.spim.encode([0.5], panel__pixels=3), r"panel.pixels|unknown field"),
        (lambda: eq.spim.frame(np.full((8, 8), 300), bits=8), r"mask: .*300"),
        (lambda: eq.spim.frame(np.full((8, 8), 0.5)), r"mask: level 0.5: expected a whole number"),
        (lambda: eq.spim.frame(np.zeros((8, 8)), tier="ray"), r"tier = \"ray\""),
        (
            lambda: eq.spim.frame(np.zeros((8, 8)), tier="effective", image=True),
            r"only the wave tier sees",
        ),
    ],
)
def test_what_cannot_be_shown(call, words):
    with pytest.raises(ValueError, match=words):
        call()
