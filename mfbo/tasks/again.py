"""Run in processes that a trial starts, in place of the main script that made its task: holds what the task uses."""

import os
from pathlib import Path

import cloudpickle

from mfbo.tasks.source_file import MAIN, _of_main

globals().update(_of_main(cloudpickle.loads(Path(os.environ[MAIN]).read_bytes())))
