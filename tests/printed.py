"""What a command prints against what a document shows of it: the same kinds of lines in the same order.

Numbers, durations, rungs and configurations differ from run to run, so they are masked; a line of ``...`` in a document
stands for any lines of the kinds that it shows.
"""

from __future__ import annotations

import re
from itertools import groupby

UNLIKE = re.compile(
    r": trial \d+ (failed|diverged): |this budget is too small|costs are lower bounds|^this bought "
    r"|^(loading|preparing|measuring)\b.*: \d+s\b"
)
"""A trial of bad luck, and what is said of a budget or machine that buys little: no document shows them."""
MASKS = (
    (r"(?:all data|[\d.]+% of the data), \d+ epochs?", "RUNG"),
    (r"\b\d(?:[\w.:%+-]*[\w%])?", "#"),
    (r"PAIR=[^\s,)]+(?:, (?:PAIR=[^\s,)]+|\.\.\.))*", "PAIRS"),
    (r", level #: #(?: of #)?(?: trials)?(?:, level #: #(?: of #)?)*", ""),  # of the plan, by level; none at first
    (r"(?<=\): )# of # trials", "# trials"),  # a level that has more than its plan has no "of"
    (r"configurations? at #(?:(?:,| and) # at #)*", "configurations at #"),
    (r"# trials?\b", "# trials"),
    (r", # failed\b", ""),
    (r"\bwould take\b", "take"),  # where the budget cannot pay for it
    (r"(?<=\S) +", " "),
)


def kinds(text, names):
    """The lines of `text`, masked, each kind that follows itself once.

    Args:
        text: what is printed or shown.
        names: of hyperparameters; which of them a line has depends on the configuration.
    """
    lines = []
    for line in filter(str.strip, text.splitlines()):
        masked = re.sub(rf"\b(?:{'|'.join(names)})=", "PAIR=", line)
        for pattern, mask in MASKS:
            masked = re.sub(pattern, mask, masked)
        lines += [] if UNLIKE.search(line) else [masked.rstrip()]
    return [kind for kind, _ in groupby(lines)]


def same(shown, printed, names):
    """Whether `printed` has the kinds of lines that `shown` has, in its order."""
    printed = re.sub(
        r"(?m)^(trials cost .* )?now planned, in all: .*\n", "", printed
    )  # as fast as the machine happens to be
    second_half = r"(?m)^  the chance that the second half .*\n"  # told where the machine is fast enough for several
    if not re.search(second_half, printed):
        shown = re.sub(second_half, "", shown)
    chance = r", a higher level than that of [^ ]+"
    shown, printed = re.sub(chance, "", shown), re.sub(chance, "", printed)
    wanted = kinds(shown, names)
    any_of = "|".join(re.escape(kind) for kind in wanted if kind != "...")
    pattern = "".join(rf"(?:(?:{any_of})\n)*" if kind == "..." else rf"(?:{re.escape(kind)}\n)+" for kind in wanted)
    return re.fullmatch(pattern, "".join(f"{kind}\n" for kind in kinds(printed, names))) is not None
