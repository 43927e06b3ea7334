"""``python -m mfbo``."""

from mfbo.cli import main

main(prog_name="mfbo")
