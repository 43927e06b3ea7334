"""``mfbo init``: write a task template."""

from __future__ import annotations

import re
import shlex
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import click

from mfbo.errors import BadValue, MissingExtra
from mfbo.templates import NAME, SCRIPT, TEMPLATES


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--template",
    default="torch",
    show_default=True,
    type=click.Choice(list(TEMPLATES)),
    help="What to start from: PyTorch, a scikit-learn estimator, a Lightning module, a Trainer, or a script.",
)
def init(file: Path, template: str) -> None:
    """Write a task template to FILE.

    It runs as it is; its comments say what to replace. The template `command` writes a script and a file with its
    search space.
    """
    chosen = TEMPLATES[template]
    if file.suffix != ".py":
        raise BadValue(f"{str(file)!r}: give a name that ends in .py, such as mytask.py")
    wanted = [(file, chosen.file)] + ([(file.with_suffix(".yaml"), chosen.space)] if chosen.space else [])
    for path, _ in wanted:
        if path.exists():
            raise BadValue(f"{str(path)!r} exists and is not overwritten; give another name")
    if file.stem.isidentifier() and find_spec(file.stem) is not None:
        raise BadValue(f"{file.name!r} would hide the package {file.stem!r}; give another name, such as mytask.py")
    command = _command(file, script=bool(chosen.space))
    for path, source in wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = files("mfbo.templates").joinpath(source).read_text(encoding="utf-8")
        path.write_text(_own(text, file, command), encoding="utf-8")
        click.echo(f"{path} written")
    if chosen.needs and find_spec(chosen.needs) is None:
        click.echo(str(MissingExtra.of(chosen.needs, chosen.extra)))
    click.echo(f"try it as it is:\n  {command}")


def _command(file: Path, *, script: bool) -> str:
    """What to type next."""
    if not script:
        return f"mfbo tune {shlex.quote(f'{file}:task')} --max-cost 20s"
    space = shlex.quote(str(file.with_suffix(".yaml")))
    return f"mfbo tune {SCRIPT.format(file=shlex.quote(str(file)))} --space {space} --max-cost 20s"


def _own(text: str, file: Path, command: str) -> str:
    """The template with the user's names in it."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", file.stem).strip("-") or NAME
    text = text.replace("COMMAND", command)
    text = text.replace(f"mfbo tune {NAME}.py:task --max-cost 20s", command)
    return text.replace(f'"{NAME}"', f'"{name}"')
