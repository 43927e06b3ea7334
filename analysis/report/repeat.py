"""The command that repeats runs, built from what their ledgers hold: it is mfbo that it runs, whatever they say."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from mfbo.display.text import PATH, clean
from mfbo.exports.model import metric_option
from mfbo.settings import Settings
from mfbo.study.folder import described_in, read_study

if TYPE_CHECKING:
    from mfbo.analysis.report.material import Material
    from mfbo.ledger.run import Header, Run


def command(material: Material) -> str:
    """What repeats it: built from what the ledgers hold, so that it is mfbo that is run, whatever they say."""
    if found := material.phases:
        header = material.parts[0].runs[0].header
        optimizers = ",".join(dict.fromkeys(line.optimizer for line in found.lines))
        words = ["mfbo", "study", found.task, "--max-cost", found.max_cost, "--optimizers", optimizers]
        words += ["--seed", str(header.seed), "--seeds", str(found.seeds)]
        words += _option_words(found.search.options())
        return clean(shlex.join([*words, *_setting_words(found.settings)]), PATH)
    if material.study is not None:
        study = read_study(described_in(material.study))
        words = ["mfbo", "compare", *study.tasks, "--optimizers", ",".join(study.optimizers)]
        words += ["--seeds", str(study.seeds), "--max-cost", study.max_cost]
        words += _option_words(study.search.options())
        return clean(shlex.join([*words, *_setting_words(study.settings)]), PATH)
    return "\n".join(dict.fromkeys(_tune(run) for part in material.parts for run in part.runs))


def _tune(run: Run) -> str:
    header, limits = run.header, run.limits
    words = ["mfbo", "tune", header.task, "--optimizer", header.optimizer, "--seed", str(header.seed)]
    given: dict[str, Any] = {"max_cost": limits.max_cost, "max_trials": limits.max_trials, "max_wall": limits.max_wall}
    metric = metric_option(header.search, header.settings.options)
    given |= {**header.search.options(), "prior": _prior(header), "metric": metric or None, "maximize": None}
    given |= {"warm_start": "EARLIER_RUN" if header.known else None}
    words += _option_words(given)
    options = {key: text for key, text in header.settings.options.items() if not (metric and key == "metric")}
    return clean(shlex.join([*words, *_setting_words(replace(header.settings, options=options))]), PATH)


def _prior(header: Header) -> str | None:
    """What stands for the prior: a file that the user has, where it is not the default configuration."""
    if header.prior is None:
        return None
    defaults = {entry.get("name"): entry.get("default_value") for entry in header.space.get("hyperparameters", [])}
    usual = all(defaults.get(name) == value for name, value in header.prior.items())
    return "default" if usual else "PRIOR.yaml"


def _option_words(given: Mapping[str, Any]) -> list[str]:
    """Options with their values; without those that are None or False."""
    words: list[str] = []
    for name, value in given.items():
        if name == "maximize" and value is False:
            words.append("--minimize")
        if value in (None, False):
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words.append(",".join(value) if isinstance(value, tuple) else str(value))
    return words


def _setting_words(settings: Settings) -> list[str]:
    """Settings that are not the usual ones, as options."""
    words: list[str] = []
    for item in fields(Settings):
        value, option = getattr(settings, item.name), f"--{item.name.replace('_', '-')}"
        if item.name == "options":
            for key, text in value.items():
                words += ["--option", f"{key}={text}"]
        elif value is True:
            words.append(option)
        elif value not in (None, False, item.default):
            words += [option, str(value)]
    return words
