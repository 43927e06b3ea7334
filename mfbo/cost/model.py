"""What a trial will cost, in seconds: told from probes and from what trials have cost so far.

A trial takes a start, an evaluation an epoch, and training in proportion to its work::

    seconds = start + evaluation * epochs + training * work

fitted by least squares of relative errors. What is left over, as a logarithm, is explained by a ridge regression on the
hyperparameters (a larger network is slower), on the rung (no formula knows all of a task), and on whether it was a
probe: what is short may be slower or faster throughout, and trials then say what the level is. The mean of the
remaining ratios brings it back from a logarithm (Duan 1983, doi:10.1080/01621459.1983.10478017).
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mfbo.cost.features import Encoder
from mfbo.trial import Rung

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mfbo.ledger.plan import Probe
    from mfbo.task import Task
    from mfbo.trial import Config, Outcome

Floats: TypeAlias = NDArray[np.float64]
FidelityPoint: TypeAlias = "tuple[int, float, tuple[int, ...], int]"

MAX_OBSERVATIONS = 400  # observations in a fit, the newest
REFIT_GROWTH = 1.1  # a fit is done anew when there are so many times as many
MIN_COST = 1e-6  # seconds
START_PENALTY = 1e-3  # of the start: what could be either is training
FEW_PENALTY = 0.3
"""Of the start, divided by the square of the number of trials, where no probe has measured it: a line through two
trials of about the same work has any slope, as costs are a third off at times."""
FEW, FEW_SHARE = 6, 0.5
"""Of fewer trials it is not believed that the dearest for its work costs mostly a start."""
RIDGE_PENALTY, RUNG_PENALTY = 0.1, 1.0  # of the hyperparameters and of the rungs in the ridge regression
PROBE_PENALTY = 0.03  # of what all probes have in common
PROBE_WEIGHT = 0.25  # of a probe at one rung, where a trial has 1


class Seen(NamedTuple):
    """An observation: what was done, and how long it took.

    Attributes:
        epochs: trained and evaluated.
        work: trained.
        training: seconds.
        evaluation: seconds.
        features: of the configuration, as `Encoder.features` gives them.
        place: (epochs, data, what else is counted, first epoch) of a trial; None for a probe, which says nothing of a
            rung's own ways.
    """

    epochs: float
    work: float
    training: float
    evaluation: float
    features: Floats
    place: FidelityPoint | None

    @property
    def seconds(self) -> float:
        """Both."""
        return max(MIN_COST, self.training + self.evaluation)


class CostModel:
    """Learns from probes and outcomes; predicts for a rung and, where it is given, a configuration.

    Args:
        task: its fidelity and space.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._encoder = Encoder(task.space)
        self._probes: list[Seen] = []
        self._trials: deque[Seen] = deque(maxlen=MAX_OBSERVATIONS)
        self._count = 0
        self._fitted = -1.0
        self._start = self._evaluation = self._training = 0.0
        self._weights: Floats = np.zeros(self._encoder.size)
        self._rungs: dict[FidelityPoint, float] = {}
        self._level = 1.0

    @property
    def known(self) -> bool:
        """Whether there is anything to predict from."""
        return bool(self._trials or self._probes)

    def probed(self, probes: Sequence[Probe], rungs: Sequence[Rung]) -> None:
        """Record what `probes` would have cost at the lowest and the highest of `rungs`."""
        rates = [probe.pace.training / self._work(max(MIN_COST, probe.pace.epochs), probe.rung) for probe in probes]
        judged = [(probe.pace, rate) for probe, rate in zip(probes, rates, strict=True) if probe.pace.evaluations > 0]
        usual = sum(pace.evaluation / pace.evaluations for pace, _ in judged)
        usual /= max(MIN_COST, sum(rate for _, rate in judged))  # seconds of an evaluation for one of training in full
        closing = max((probe.closing for probe in probes), default=0.0)
        for probe, rate in zip(probes, rates, strict=True):
            pace, features = probe.pace, self._encoder.features(probe.config)
            evaluation = pace.evaluation / pace.evaluations if pace.evaluations > 0 else usual * rate
            for rung in dict.fromkeys((rungs[0], rungs[-1])):
                training = pace.startup + (probe.closing or closing) + rate * rung.work
                self._probes.append(Seen(rung.epochs, rung.work, training, evaluation * rung.epochs, features, None))
        self._fitted = -1.0

    def add(self, config: Config, outcome: Outcome) -> None:
        """Record a trial; failures and trials without a report say nothing about cost."""
        if outcome.loss is None or outcome.status not in ("ok", "stopped"):
            return
        rung, start = outcome.rung, outcome.start_epoch
        epochs = self._task.trained(rung, start)
        if epochs <= 0:
            return
        work, features = self._work(epochs, rung), self._encoder.features(config)
        place = _place(rung, start) if outcome.status == "ok" else None
        self._trials.append(Seen(epochs, work, outcome.train, outcome.evaluation, features, place))
        self._count += 1

    def seconds(self, rung: Rung, start_epoch: int = 0, config: Config | None = None) -> float:
        """What going from `start_epoch` to the end of `rung` will cost; a mean over the space without a `config`."""
        epochs = self._task.trained(rung, start_epoch)
        if epochs <= 0 or rung.epochs <= start_epoch or not self.known:
            return 0.0
        self._fit()
        features = self._encoder.sample() if config is None else self._encoder.features(config)[None]
        factor = float(np.mean(np.exp(features @ self._weights)))
        own = float(np.exp(self._rungs.get(_place(rung, start_epoch), 0.0)))
        base = self._base(np.array([epochs]), np.array([self._work(epochs, rung)]))
        return float(base[0]) * factor * own * self._level

    def _work(self, epochs: float, rung: Rung) -> float:
        return self._task.fidelity.work_at(rung, epochs)

    def _base(self, epochs: Floats, work: Floats) -> Floats:
        total: Floats = np.maximum(MIN_COST, self._start + self._evaluation * epochs + self._training * work)
        return total

    def _fit(self) -> None:
        if self._count <= self._fitted:
            return
        self._fitted = self._count * REFIT_GROWTH if self._count else 0.0
        seen = [*self._probes, *self._trials]
        weights = np.array([PROBE_WEIGHT] * len(self._probes) + [1.0] * len(self._trials))
        factors = np.ones(len(seen))
        for _ in range(2):
            self._fit_parts(seen, weights, factors)
            factors = self._fit_rest(seen, weights)

    def _fit_parts(self, seen: list[Seen], weights: Floats, factors: Floats) -> None:
        """Start, evaluation and training, where each observation takes `factors` times as long as a usual one."""
        total = np.array([one.seconds for one in seen]) / factors
        epochs, work = (np.array([getattr(one, name) for one in seen]) / total for name in ("epochs", "work"))
        training = np.array([one.training for one in seen]) / factors / total
        evaluation = np.array([one.evaluation for one in seen]) / factors / total
        self._evaluation = float((weights * epochs * evaluation).sum() / (weights * epochs**2).sum())
        penalty = START_PENALTY + (0.0 if self._probes else FEW_PENALTY / len(seen) ** 2)
        self._start, self._training = _line(1 / total, work, training, weights, penalty)
        few = not self._probes and len(seen) < FEW
        if few and float((self._training * work).max()) < FEW_SHARE:  # the smaller was slower for another reason
            self._start, self._training = 0.0, float((weights * work * training).sum() / (weights * work**2).sum())

    def _fit_rest(self, seen: list[Seen], weights: Floats) -> Floats:
        """What configurations, rungs and probing have to do with what is left over; the factor of each observation."""
        base = self._base(np.array([one.epochs for one in seen]), np.array([one.work for one in seen]))
        ratio = np.log(np.array([one.seconds for one in seen]) / base)
        features = np.array([one.features for one in seen])
        places = sorted({one.place for one in seen if one.place is not None})
        own = np.array([[float(one.place == place) for place in places] for one in seen]).reshape(len(seen), -1)
        probed = np.array([float(number < len(self._probes)) for number in range(len(seen))])
        columns = np.column_stack([np.ones(len(seen)), features, own, probed])
        penalty = np.full(columns.shape[1], RIDGE_PENALTY)
        penalty[0] = 1e-9
        penalty[1 + features.shape[1] : -1] = RUNG_PENALTY
        penalty[-1] = PROBE_PENALTY
        square = (columns * weights[:, None]).T @ columns + np.diag(penalty)
        found = np.linalg.solve(square, columns.T @ (weights * ratio))
        size = self._encoder.size
        self._weights = found[1 : 1 + size]
        self._rungs = dict(zip(places, found[1 + size : -1].tolist(), strict=True))
        left = np.exp(ratio - columns[:, 1:] @ found[1:])
        self._level = float((weights * left).sum() / weights.sum())
        factors: Floats = np.exp(features @ self._weights + found[-1] * probed)
        return factors


def _place(rung: Rung, start: int) -> FidelityPoint:
    return rung.epochs, round(rung.data, 6), tuple(number for _, number in rung.further), start


def _line(ones: Floats, work: Floats, seconds: Floats, weights: Floats, penalty: float) -> tuple[float, float]:
    """(start, slope), neither negative, that bring ``start * ones + slope * work`` nearest to `seconds`.

    The start is shrunk by `penalty` (ridge).
    """
    scales = [float(np.sqrt((weights * column**2).sum())) or 1.0 for column in (ones, work)]
    first, second = ones / scales[0], work / scales[1]
    both = float((weights * first * second).sum())
    target = [float((weights * column * seconds).sum()) for column in (first, second)]
    square = np.array([[1 + penalty, both], [both, 1.0]])
    start, slope = np.linalg.solve(square, target).tolist()
    if start < 0:
        start, slope = 0.0, target[1]
    elif slope < 0:
        start, slope = target[0] / (1 + penalty), 0.0
    return start / scales[0], slope / scales[1]
