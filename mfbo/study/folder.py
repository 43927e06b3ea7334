"""The folder of a comparison: ``comparison.yaml`` says what it is, and every run lies in ``TASK/OPTIMIZER/sSEED``.

``failed.yaml`` names the runs whose cost bought nothing, and why; they are tried again each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from mfbo.errors import BadValue, RunExists, UnknownName
from mfbo.executors.share import automatic
from mfbo.files.plain import replace_text
from mfbo.files.reading import read_yaml, to_yaml
from mfbo.ledger.journal import begun
from mfbo.search import Search, keyword
from mfbo.settings import Settings, possible
from mfbo.study.spec import RUN_FIELDS, Entry, Study, names_of

COMPARISON, FAILED = "comparison.yaml", "failed.yaml"
EARLIER_NAME = "study.yaml"  # of the first, in folders that were made before
_OWN = ("tasks", "optimizers", "seeds", "max_cost")
_LISTS = ("tasks", "optimizers")
_OPTIONS = ("model", "data_dir", "metric", "metric_file")  # options of a task that the command line has by name
_SEARCH = {keyword(item.name): item.name for item in fields(Search) if item.name not in RUN_FIELDS}


def described_in(out: Path | str) -> Path:
    """The file in the folder `out` that says what is compared there; where there is none, as it is to be called."""
    found, earlier = Path(out) / COMPARISON, Path(out) / EARLIER_NAME
    return earlier if earlier.is_file() and not found.is_file() else found


def folders(out: Path | str) -> list[Path]:
    """The runs of the study in `out`, in its order, as far as they have begun.

    Raises:
        BadValue: there is no study.
    """
    study = read_study(described_in(out))
    return [folder for entry in study.entries() if begun(folder := Path(out) / entry.folder)]


def missing(out: Path | str) -> list[tuple[Entry, str]]:
    """The runs of the study in `out` that are not there, and why: empty for those that are still to begin.

    Raises:
        BadValue: there is no study.
    """
    study, lost = read_study(described_in(out)), _kept_failed(Path(out))
    absent = [entry for entry in study.entries() if not begun(Path(out) / entry.folder)]
    return [(entry, lost.get(entry.folder.as_posix(), "")) for entry in absent]


def read_study(path: Path) -> Study:
    """The study in a YAML file; nothing in it is executed.

    Raises:
        BadValue: no such file, not a study, or an unknown key.
    """
    found = read_yaml(path, "study").content
    if not isinstance(found, Mapping):
        raise BadValue(
            f"comparison {str(path)!r} is a {type(found).__name__}; give keys and values: {', '.join(_keys())}"
        )
    return _study_of({str(key): value for key, value in found.items()}, str(path))


def claim(study: Study, folder: Path) -> None:
    """Write down what the study is."""
    settings = {key: value for key, value in asdict(study.settings).items() if value != getattr(Settings(), key)}
    usual = {item.name: item.default for item in fields(Study)}
    own = {name: getattr(study, name) for name in _OWN if getattr(study, name) != usual[name]}
    own |= {key: list(own[key]) for key in _LISTS}
    _write(described_in(folder), {**own, **study.search.options(), **settings})
    keep_failed(folder, {})


def keep_failed(folder: Path, found: Mapping[str, str]) -> None:
    """Write down which runs bought nothing, and why."""
    if found or (folder / FAILED).exists():
        _write(folder / FAILED, dict(found))


def _kept_failed(folder: Path) -> dict[str, str]:
    try:
        found = read_yaml(folder / FAILED, "file").content
    except BadValue:
        return {}
    return {str(name): str(reason) for name, reason in found.items()} if isinstance(found, Mapping) else {}


def _keys() -> tuple[str, ...]:
    return (*_OWN, *_SEARCH, *_OPTIONS, *(item.name for item in fields(Settings)))


def _study_of(values: dict[str, Any], where: str) -> Study:
    for key in values:
        if key not in _keys():
            raise UnknownName(f"key in {where!r}", key, [known for known in _keys() if known != "scheduler"])
    for key in ("tasks", "optimizers", "max_cost"):
        if key not in values:
            raise BadValue(f"comparison {where!r} has no {key!r}; it must have tasks, optimizers and max_cost")
    own = {key: values.pop(key) for key in list(values) if key not in {item.name for item in fields(Settings)}}
    for key in _LISTS:
        own[key] = tuple(map(str, own[key])) if isinstance(own[key], list) else (str(own[key]),)
    own["optimizers"] = names_of(",".join(own["optimizers"]))
    options = values.get("options") or {}
    if not isinstance(options, Mapping):
        raise BadValue(f"comparison {where!r}: options is {options!r}; give names and values")
    options = {str(key): str(value) for key, value in options.items()}
    values["options"] = options | {key: str(own.pop(key)) for key in _OPTIONS if key in own}
    if values.get("workers") == "auto":
        values["workers"] = None if values.get("scheduler") else automatic()
    wrong = {key: value for key, value in values.items() if not possible(key, value)}
    for key, value in wrong.items():
        raise BadValue(f"comparison {where!r}: {key} is {value!r}; give it as `mfbo tune` takes it")
    cost, search = own.pop("max_cost"), _search_of({key: own.pop(key) for key in _SEARCH if key in own}, where)
    max_cost = cost if isinstance(cost, str) else f"{cost}s"
    return Study(**{"seeds": 5, **own}, max_cost=max_cost, search=search, settings=Settings(**values))


def _search_of(options: Mapping[str, Any], where: str) -> Search:
    """What a study file asks of each search."""
    import msgspec

    for name, value in options.items():
        try:
            msgspec.convert({_SEARCH[name]: value}, Search)
        except (msgspec.ValidationError, BadValue) as error:
            text = f"comparison {where!r}: {name} is {value!r}; give it as `mfbo tune` takes it"
            raise BadValue(f"{text}: {error}" if isinstance(error, BadValue) else text) from error
    return msgspec.convert({_SEARCH[name]: value for name, value in options.items()}, Search)


def _write(path: Path, content: Mapping[str, object]) -> None:
    """A file of the study, whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, to_yaml(dict(content)))
    except OSError as error:
        raise RunExists(f"cannot write to {str(path.parent)!r}: {error.strerror}; give another --out") from error
