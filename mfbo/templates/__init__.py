"""Tasks to begin with, which run as they stand: ``mfbo init`` copies one of them."""

from __future__ import annotations

from typing import NamedTuple


class Template(NamedTuple):
    """A file of this folder.

    Attributes:
        file: its name.
        needs: the library that it imports beside those of mfbo; empty for none.
        extra: of mfbo that brings it; empty for none.
        space: the file with its space, for a command; empty for a task.
    """

    file: str
    needs: str = ""
    extra: str = ""
    space: str = ""


NAME = "mytask"  # in their texts, for the name of the user's file
SCRIPT = '"python {file} --lr {{lr}} --l2 {{l2}} --epochs {{epochs}} --data {{data}} --checkpoint {{checkpoint}}"'
TEMPLATES = {
    "torch": Template("pytorch.py", "torch", "vision"),
    "sklearn": Template("estimator.py"),
    "lightning": Template("lightning_module.py", "lightning", "lightning"),
    "transformers": Template("finetuning.py", "accelerate", "trainer"),
    "command": Template("script.py", space="script.yaml"),
}
