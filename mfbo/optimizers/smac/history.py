"""SMAC's run history, the one record of results behind `smac`, with what its readers need beside each result."""

from __future__ import annotations

from smac.runhistory import StatusType, TrialKey, TrialValue

from mfbo.optimizers.smac_stock.parts import QuickHistory


class ResultHistory(QuickHistory):
    """Remembers in which order results came, and which trials run.

    Attributes:
        result_keys: keys of the results, in the order in which they were told.
        running_keys: keys of the trials without a result, in the order in which they were asked.
        version: rises when the losses of results are replaced; who has read them must read them again.
    """

    def reset(self) -> None:
        """Begin anew."""
        super().reset()
        self.result_keys: list[TrialKey] = []
        self.running_keys: dict[TrialKey, None] = {}
        self.version = 0

    def loss(self, key: TrialKey) -> float | None:
        """The loss of a result; None where the trial failed."""
        value = self[key]
        return value.cost if value.status == StatusType.SUCCESS else None

    def external_seed(self, config_id: int | None) -> int:
        """A seed for one more result of a configuration that comes from outside the run."""
        own = self._config_id_to_isk_to_budget.get(config_id, {})
        return 1 + max((key.seed for key in own), default=0)

    def _add(self, k: TrialKey, v: TrialValue, status: StatusType) -> None:
        before = self._data.get(k)
        super()._add(k, v, status)
        if status == StatusType.RUNNING:
            self.running_keys[k] = None
        elif before is None or before.status == StatusType.RUNNING:
            self.running_keys.pop(k, None)
            self.result_keys.append(k)
        else:
            self.version += 1
