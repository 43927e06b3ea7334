"""How the trials of a run are run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import msgspec

from mfbo.errors import BadValue

LOCAL = "local"
FREE = ("max_disk", "price", "scheduler")  # settings that change no result


@dataclass(frozen=True)
class Settings:
    """How trials are run; the ledger keeps it, and `resume` continues it.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        options: further settings of the task.
        space: of the task's spaces: ``default``, a name such as ``wide``, or a YAML file in ConfigSpace's format.
        from_scratch: train every rung anew, without checkpoints.
        workers: trials at the same time, each in a process that can be killed; on a virtual clock they are
            simulated. 0 runs them in this process, where nothing can end them but their own reports. None is 1, and on
            a Dask cluster all of its workers.
        scheduler: of a Dask cluster to run trials on: ``tcp://host:port``, or a scheduler file; None for this machine.
        max_trial_time: a trial that takes longer is killed: ``90s``, ``1h``.
        max_trial_memory: GiB; a trial that holds more is killed.
        max_disk: GiB of checkpoints; None is 2 GB and what the next promotions begin with.
        price: of an hour of cost, as `mfbo.cost.price.Price` writes it: ``0.9USD/h``; None where money is not shown.
    """

    device: str = "auto"
    options: Mapping[str, str] = field(default_factory=dict)
    space: str = "default"
    from_scratch: bool = False
    workers: int | None = None
    scheduler: str | None = None
    max_trial_time: str | None = None
    max_trial_memory: float | None = None
    max_disk: float | None = None
    price: str | None = None

    def changed(self) -> dict[str, object]:
        """Those that are not the defaults, each of the task's own settings among them."""
        given = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "options"}
        default = Settings()
        return {name: value for name, value in given.items() if value != getattr(default, name)} | dict(self.options)


def resumed(settings: Settings, workers: int | None, scheduler: str | None) -> Settings:
    """The settings that a ledger keeps, with what is given now.

    Args:
        settings: from the header.
        workers: instead of those kept.
        scheduler: instead of the one kept; `LOCAL` for none.

    Raises:
        BadValue: the run was on a cluster, and `scheduler` does not say whether to go on there.
    """
    if settings.scheduler is not None and scheduler is None:
        text = f"this run was on the Dask scheduler {settings.scheduler!r}"
        raise BadValue(f"{text}; give where it continues: --scheduler tcp://host:port, or --scheduler {LOCAL}")
    if scheduler is not None:
        settings = replace(settings, scheduler=None if scheduler == LOCAL else scheduler)
    return settings if workers is None else replace(settings, workers=workers)


def possible(name: str, value: object) -> bool:
    """Whether there is such a setting, and it can have a value of that kind."""
    try:
        msgspec.convert({name: value}, Settings)
    except msgspec.ValidationError:
        return False
    return name in {item.name for item in fields(Settings)}
