"""What tests share."""

import numpy as np
import pytest

import equilux as eq

#: A small network on Wine: a fraction of a second an epoch.
SMALL = {
    "seed": 3,
    "data": {"set": "wine"},
    "network": {"layers": [13, 8, 3]},
    "training": {"epochs": 3},
}


@pytest.fixture
def small():
    return SMALL


@pytest.fixture
def wine():
    return eq.load_data("wine")


@pytest.fixture
def inputs():
    """Twenty samples of thirteen inputs, and their classes."""
    draw = np.random.default_rng(5)
    return draw.normal(size=(20, 13)), draw.integers(0, 3, size=20)
