"""Many runs to compare: tasks × optimizers × seeds, each within the same cost.

A study is a folder: ``study.yaml`` says what it is, and every run lies in ``TASK/OPTIMIZER/sSEED``. It goes seed by
seed, so that an interrupted one is still fair, and goes on where it was: what is finished is not run again.
``failed.yaml`` names the runs whose cost bought nothing, and why; they are tried again each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mfbo import checks, identity, planning
from mfbo.budget import Budget
from mfbo.configs import prior_of
from mfbo.errors import BadCost, BadValue, RunExists, UnknownName
from mfbo.executors.share import automatic
from mfbo.fidelity import ETA
from mfbo.ladders import Bounds
from mfbo.ledger import FILE, read
from mfbo.observer import Observer
from mfbo.optimizers import OPTIMIZERS, SHARE
from mfbo.plan import Plan
from mfbo.price import in_time
from mfbo.result import TuneResult, result_of
from mfbo.settings import FREE, Settings, possible
from mfbo.task import is_command, load
from mfbo.trial import config_key
from mfbo.tuning import resume, tune

if TYPE_CHECKING:
    from mfbo.run import Run
    from mfbo.task import Task

STUDY = "study.yaml"
FAILED = "failed.yaml"  # beside it: the runs whose cost bought nothing, and why
_LISTS = ("tasks", "optimizers")
SEARCH: dict[str, tuple[type, ...]] = {
    "fidelity": (str, type(None)),
    "max_fidelity": (int, float),
    "min_fidelity": (int, float),
    "eta": (int,),
    "prior": (str, type(None)),
}
"""What a study says of the search of each run, beside the settings, and the kinds of value in a file."""
_OPTIONS = ("model", "data_dir", "metric")  # options of a task that the command line has by name


@dataclass(frozen=True)
class Study:
    """What is compared.

    Attributes:
        tasks: names that `mfbo.task.load` takes.
        optimizers: names in `mfbo.optimizers.OPTIMIZERS`.
        seeds: how many; they are 0, 1, ...
        max_cost: of a run, as for `mfbo.tune`.
        fidelity: path of all tasks; None for the default of each.
        max_fidelity: no rung of any run above this fraction of a full evaluation.
        min_fidelity: no rung below it.
        eta: factor between rungs.
        prior: a configuration believed in, as for `mfbo.tune`; for the optimizers that make use of one.
        settings: how trials are run.
    """

    tasks: tuple[str, ...]
    optimizers: tuple[str, ...]
    seeds: int
    max_cost: str
    fidelity: str | None = None
    max_fidelity: float = 1.0
    min_fidelity: float = 0.0
    eta: int = ETA
    prior: str | None = None
    settings: Settings = field(default_factory=Settings)

    def check(self) -> None:
        """Refuse what cannot be run, before anything is.

        Raises:
            BadValue: no task, no optimizer, no seed, a name twice, no ladder, or no configuration as prior.
            UnknownName, BadTask, BadCost ...: as `mfbo.tune`.
        """
        if isinstance(self.seeds, bool) or not isinstance(self.seeds, int) or self.seeds < 1:
            raise BadValue(f"seeds {self.seeds!r}: give a whole number, 1 or more")
        for kind, names in (("tasks", self.tasks), ("optimizers", self.optimizers)):
            if not names:
                raise BadValue(f"no {kind} given; name one or more")
            if twice := [name for name in names if names.count(name) > 1]:
                raise BadValue(f"{kind}: {twice[0]!r} is named twice; name it once")
        for name in self.optimizers:
            if name not in OPTIMIZERS:
                raise UnknownName("optimizer", name, OPTIMIZERS)
        Budget.parse(self.in_time().max_cost, "max cost")
        checks.settings(self.settings)
        bounds = Bounds(self.fidelity, self.eta, self.min_fidelity, self.max_fidelity)
        for name in self.tasks:
            task = load(name).with_space(self.settings.space)
            for optimizer in self.optimizers:
                planning.rungs(task, optimizer, bounds)
            if self.prior is not None:
                prior_of(self.prior, task.space)

    def in_time(self) -> Study:
        """The same with a cost in seconds, where it is in money."""
        max_cost, settings = in_time(self.max_cost, self.settings)
        return replace(self, max_cost=str(max_cost), settings=settings)

    @property
    def search(self) -> dict[str, Any]:
        """What is the same for every run beside the settings, as `mfbo.tune` takes it."""
        return {name: getattr(self, name) for name in SEARCH}

    @property
    def size(self) -> int:
        """Number of runs."""
        return len(self.tasks) * len(self.optimizers) * self.seeds

    def entries(self) -> Iterator[Entry]:
        """Every run, seed by seed; the optimizers of one task and seed after one another."""
        for seed in range(self.seeds):
            for task in self.tasks:
                for optimizer in self.optimizers:
                    yield Entry(task, optimizer, seed)


@dataclass(frozen=True)
class Entry:
    """One run of a study."""

    task: str
    optimizer: str
    seed: int

    @property
    def folder(self) -> Path:
        """Within the study's."""
        return Path(file_name(self.task)) / self.optimizer / f"s{self.seed}"


def compare(
    study: Study,
    out: Path | str,
    *,
    began: Callable[[Entry], Observer] = lambda entry: Observer(),
    told: Callable[[Entry, TuneResult], None] = lambda entry, result: None,
    failed: Callable[[Entry, BadCost], None] = lambda entry, error: None,
    command: str = "",
) -> list[TuneResult]:
    """Run what is missing of `study`, and read the rest; what is there beside it is part of it, see `extended`.

    Args:
        study: what to compare.
        out: its folder.
        began: is told of each run that starts or goes on; what it returns watches the run.
        told: is given the result of each run, those that were there already included.
        failed: is given the error of a run whose cost buys nothing.
        command: what the user typed, for the ledgers.

    Returns:
        The results in the order of `Study.entries`; fewer where the user interrupted one, or one bought nothing.

    Raises:
        RunExists: the folder holds a study of other tasks or settings.
        BadCost: the cost buys nothing in any run.
        MfboError: as `mfbo.tune`, `mfbo.resume`.
    """
    study, folder = extended(study, out), Path(out)
    _claim(study, folder)
    found: list[TuneResult] = []
    problem: BadCost | None = None
    lost: dict[str, str] = {}
    plans: dict[str, Plan] = {}  # of the first run of each task: what is compared has the same top rung
    for entry in study.entries():
        try:
            result = run(
                folder / entry.folder,
                _cost(study, entry),
                entry.task,
                began=partial(began, entry),
                command=command,
                optimizer=entry.optimizer,
                seed=entry.seed,
                settings=study.settings,
                **study.search,
                like=plans.get(entry.task),
            )
        except BadCost as error:
            problem = error
            lost[entry.folder.as_posix()] = str(error)
            _keep_failed(folder, lost)
            failed(entry, error)
            continue
        if (plan := result.ledger.header.plan) is not None and plan.measured:
            plans.setdefault(entry.task, plan)
        found.append(result)
        told(entry, result)
        if result.status == "interrupted":
            break
    if problem and not found:
        raise problem
    return found


def extended(study: Study, out: Path | str) -> Study:
    """`study` with the optimizers and seeds that the one in `out` has beside its own, if there is one.

    Raises:
        RunExists: the folder holds a study of other tasks or settings.
        MfboError: as `Study.check`.
    """
    study.check()
    study = study.in_time()
    path = Path(out) / STUDY
    if not path.exists():
        return study
    there = read_study(path)
    one, other = ({"tasks": ", ".join(those.tasks), **those.search, **vars(those.settings)} for those in (there, study))
    _refuse_other(out, f"study (see its {STUDY})", one, other)
    optimizers = tuple(dict.fromkeys((*there.optimizers, *study.optimizers)))
    return replace(study, optimizers=optimizers, seeds=max(there.seeds, study.seeds))


def _refuse_other(folder: object, what: str, kept: Mapping[str, object], asked: Mapping[str, object]) -> None:
    """Refuse a folder whose facts are not those that were asked for."""
    for name, value in asked.items():
        if kept[name] != value and name not in FREE:
            raise RunExists(
                f"{str(folder)!r} holds another {what}: its {name.replace('_', ' ')} is {kept[name]}, not {value}; "
                "give another --out"
            )


def folders(out: Path | str) -> list[Path]:
    """The runs of the study in `out`, in its order, as far as they have begun.

    Raises:
        BadValue: there is no study.
    """
    study = read_study(Path(out) / STUDY)
    return [folder for entry in study.entries() if _has_begun(folder := Path(out) / entry.folder)]


def missing(out: Path | str) -> list[tuple[Entry, str]]:
    """The runs of the study in `out` that are not there, and why: empty for those that are still to begin.

    Raises:
        BadValue: there is no study.
    """
    study, lost = read_study(Path(out) / STUDY), _kept_failed(Path(out))
    absent = [entry for entry in study.entries() if not _has_begun(Path(out) / entry.folder)]
    return [(entry, lost.get(entry.folder.as_posix(), "")) for entry in absent]


def _has_begun(folder: Path) -> bool:
    """Whether there is a ledger with a line; that of a run which begins has none for a moment."""
    return (folder / FILE).is_file() and (folder / FILE).stat().st_size > 0


def _keep_failed(folder: Path, found: Mapping[str, str]) -> None:
    """Write down which runs bought nothing, and why."""
    if found or (folder / FAILED).exists():
        _write(folder / FAILED, dict(found))


def _kept_failed(folder: Path) -> dict[str, str]:
    import yaml

    try:
        found = yaml.safe_load((folder / FAILED).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return {str(name): str(reason) for name, reason in found.items()} if isinstance(found, Mapping) else {}


def read_study(path: Path) -> Study:
    """The study in a YAML file; nothing in it is executed.

    Raises:
        BadValue: no such file, not a study, or an unknown key.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:160]
        raise BadValue(f"study {str(path)!r} cannot be read: {reason}") from error
    if not isinstance(found, Mapping):
        raise BadValue(f"study {str(path)!r} is a {type(found).__name__}; give keys and values: {', '.join(_keys())}")
    return _study_of({str(key): value for key, value in found.items()}, str(path))


def _keys() -> tuple[str, ...]:
    own = tuple(item.name for item in fields(Study) if item.name != "settings")
    return (*own, *_OPTIONS, *(item.name for item in fields(Settings)))


def _study_of(values: dict[str, Any], where: str) -> Study:
    for key in values:
        if key not in _keys():
            raise UnknownName(f"key in {where!r}", key, _keys())
    for key in ("tasks", "optimizers", "max_cost"):
        if key not in values:
            raise BadValue(f"study {where!r} has no {key!r}; it must have tasks, optimizers and max_cost")
    own = {key: values.pop(key) for key in list(values) if key not in {item.name for item in fields(Settings)}}
    for key in _LISTS:
        own[key] = tuple(map(str, own[key])) if isinstance(own[key], list) else (str(own[key]),)
    options = values.get("options") or {}
    if not isinstance(options, Mapping):
        raise BadValue(f"study {where!r}: options is {options!r}; give names and values")
    options = {str(key): str(value) for key, value in options.items()}
    values["options"] = options | {key: str(own.pop(key)) for key in _OPTIONS if key in own}
    if values.get("workers") == "auto":
        values["workers"] = None if values.get("scheduler") else automatic()
    wrong = {key: value for key, value in values.items() if not possible(key, value)}
    wrong |= {key: own[key] for key, kinds in SEARCH.items() if key in own and type(own[key]) not in kinds}
    for key, value in wrong.items():
        raise BadValue(f"study {where!r}: {key} is {value!r}; give it as `mfbo tune` takes it")
    cost = own.pop("max_cost")
    return Study(
        **{"seeds": 5, **own}, max_cost=cost if isinstance(cost, str) else f"{cost}s", settings=Settings(**values)
    )


def _claim(study: Study, folder: Path) -> None:
    """Write down what the study is."""
    settings = {key: value for key, value in asdict(study.settings).items() if value != getattr(Settings(), key)}
    usual = {item.name: item.default for item in fields(Study)}
    own = {key: value for key, value in asdict(study).items() if key != "settings" and value != usual[key]}
    own |= {key: list(own[key]) for key in _LISTS}
    _write(folder / STUDY, {**own, **settings})
    _keep_failed(folder, {})


def _write(path: Path, content: Mapping[str, object]) -> None:
    """A file of the study, whole or not at all."""
    import yaml

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        aside.write_text(yaml.safe_dump(dict(content), sort_keys=False), encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise RunExists(f"cannot write to {str(path.parent)!r}: {error.strerror}; give another --out") from error


def run(
    folder: Path, max_cost: str, task: str, *, began: Callable[[], Observer], command: str, **new: Any
) -> TuneResult:
    """The result of one run: as it is if it is finished within that cost, else after it has been.

    Raises:
        RunExists: the folder holds another run.
        RunChanged: its task has changed since.
        MfboError: as `mfbo.tune`, `mfbo.resume`.

    Args:
        folder: of the run.
        max_cost: as its ledger has it.
        task: its name.
        began: is called if something is to happen; what it returns is told of it.
        command: what the user typed.
        new: for `mfbo.tune`, if the run has not begun.
    """
    if not (folder / FILE).is_file():
        return tune(task, max_cost, out=folder, observer=began(), command=command, **new)
    there = read(folder)
    settings: Settings = new.get("settings") or Settings()
    _check_same(there, load(task).with_space(settings.space), settings, new)
    if there.finished and there.limits.max_cost == max_cost:
        return result_of(there)
    return resume(folder, max_cost=max_cost, observer=began(), command=command, scheduler=settings.scheduler)


def _check_same(there: Run, task: Task, settings: Settings, new: Mapping[str, Any]) -> None:
    """Refuse a run that is another one than was asked for."""
    header = there.header
    kept = {**vars(header), "fidelity": header.fidelity.get("path"), "min_fidelity": 0.0, "max_fidelity": 1.0}
    asked = {name: new[name] for name in ("optimizer", "seed", "min_fidelity", "max_fidelity", "eta") if name in new}
    asked |= {"fidelity": new.get("fidelity") or task.fidelity.default_path, "task": task.source or task.name}
    _refuse_other(there.folder, "run", {**kept, **header.bounds}, asked)
    known = {name: value for name, value in vars(settings).items() if name in header.settings and name != "space"}
    _refuse_other(there.folder, "run", header.settings, known)
    identity.check_unchanged(header, task)


def _cost(study: Study, entry: Entry) -> str:
    """The budget of one run, as its ledger has it."""
    budget = Budget.parse(study.max_cost)
    return str(replace(budget, amount=budget.amount * SHARE.get(entry.optimizer, 1.0)))


def file_name(task: str) -> str:
    """A task's name as a folder's; of a task in a file, the names of both."""
    if is_command(task):
        return f"{load(task).name}-{config_key({'command': task})[:6]}"
    path, _, name = task.rpartition(":")
    return f"{Path(path).stem}-{name}" if path else name
