"""What is said of a validation result that is the best of many."""

from __future__ import annotations

import numpy as np
import pytest

from mfbo.exports.chosen import points_too_good


@pytest.mark.parametrize(("samples", "many"), [(200, 2), (200, 10), (2000, 10)])
def test_the_best_of_equally_good_configurations_is_too_good_by_what_is_said(samples, many):
    drawn = np.random.default_rng(0).binomial(samples, 0.3, (4000, many)) / samples
    found = 100 * (drawn.max(axis=1).mean() - 0.3)
    assert points_too_good(round(0.3 * samples), samples, many) == pytest.approx(found, rel=0.1)


def test_nothing_is_said_of_one_configuration_or_of_many_samples():
    assert points_too_good(60, 200, 1) == 0
    assert points_too_good(0, 0, 5) == 0
