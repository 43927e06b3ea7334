"""What all figures share: one column of a paper, fonts that can be read there, a colour and a marker an optimizer."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

from mfbo.analysis.chart import round_numbers
from mfbo.errors import BadValue
from mfbo.goal import Goal
from mfbo.optimizers.registry import OPTIMIZERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis


WIDTH, HEIGHT = 3.4, 2.25  # inches, without a legend; the width is one column of the usual two-column paper
TITLE_LENGTH = 46  # letters that have room over the axes
SUFFIXES = (".png", ".svg", ".pdf")
RC_PARAMS: dict[Any, Any] = {
    "axes.grid": True,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 8,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0.03,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so figures are the same on every machine
    "font.size": 8,
    "grid.color": "0.9",
    "grid.linewidth": 0.5,
    "legend.borderaxespad": 0.2,
    "legend.borderpad": 0.2,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "legend.handlelength": 2.2,
    "legend.labelspacing": 0.3,
    "legend.title_fontsize": 7.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "pdf.fonttype": 42,  # embeds letters as letters, as publishers ask for
    "savefig.dpi": 300,
    "svg.hashsalt": "mfbo",  # the same figure is the same file
    "text.parse_math": False,  # names come out of ledgers, and a dollar sign is one
    "text.usetex": False,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
}
METADATA: dict[str, dict[str, Any]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}


class Look(NamedTuple):
    """How an optimizer is drawn: colour-blind safe (Okabe & Ito 2008), and told apart in grey by its marker."""

    colour: str
    marker: str


OTHER_LOOKS = (
    Look("#332288", "X"),
    Look("#882255", "*"),
    Look("#999933", "p"),
    Look("#44AA99", "h"),
)  # Tol's muted ones
DARK = {
    "#0072B2": "#56A8E8",
    "#117733": "#4FB06C",
    "#E69F00": "#F0B429",
    "#000000": "#F2F2F2",
    "#7F7F7F": "#A6A6A6",
    "#CC79A7": "#E29AC4",
    "#009E73": "#2CC79B",
    "#56B4E9": "#8FD3F7",
    "#D55E00": "#F58340",
    "#332288": "#9A8CF0",
    "#882255": "#D070A0",
    "#999933": "#C6C65A",
    "#44AA99": "#6FD0BF",
    "#A6CBE3": "#35607F",
    "#555555": "#B0B0B0",
    "#595959": "#B0B0B0",
    "#777777": "#9A9A9A",
}
"""Of each colour on a page, the one that takes its place where the reader's screen is dark."""


def registered_looks() -> dict[str, Look]:
    """That of each optimizer, as its spec has it."""
    return {name: Look(spec.colour, spec.marker) for name, spec in OPTIMIZERS.items()}


def looks(names: Sequence[str]) -> list[Look]:
    """A look for each name: its own for the first of an optimizer that has one, else the next that is free.

    A name may say more than the optimizer: ``smac, workers=4``.
    """
    taken: list[Look] = []
    registered = registered_looks()
    for name in names:
        optimizer = name.partition(",")[0]
        own = [registered[optimizer]] if optimizer in registered else []
        free = [look for look in (*own, *OTHER_LOOKS, *registered.values()) if look not in taken]
        taken.append(free[0] if free else OTHER_LOOKS[len(taken) % len(OTHER_LOOKS)])
    return taken


def looks_of(names: Sequence[str]) -> dict[str, Look]:
    """A look for each name, by name."""
    return dict(zip(names, looks(names), strict=True))


@contextmanager
def drawing() -> Iterator[None]:
    """The settings of all figures, for as long as one is drawn and saved; a letter that no font has is a box."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()  # a user's own matplotlibrc would change what is drawn
        mpl.rcParams.update(RC_PARAMS)
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def checked(output: Path) -> Path:
    """`output`, if its suffix names a format of a figure.

    Raises:
        BadValue: it does not.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise BadValue(f"figure {str(output)!r}: its name must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    return output


def save(figure: Figure, output: Path) -> None:
    """Write `figure` to `output`, in the format of its suffix; a folder that is not there yet is made.

    Raises:
        BadValue: it cannot be written there.
    """
    suffix = output.suffix.lower()
    content = io.BytesIO()
    figure.savefig(content, format=suffix[1:], metadata=METADATA[suffix])
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_bytes(content.getvalue())
    except OSError as error:
        raise BadValue(f"cannot write figure {str(output)!r}: {error.strerror}; give another --out") from error


def plain(text: object, most: int = 40) -> str:
    """Text out of a ledger, fit for a figure: one line of printable characters, not too long."""
    line = " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def label_of(goal: Goal) -> str:
    """What an axis is called that shows results: ``Validation loss``, or the metric's own name."""
    return goal.label.capitalize() if goal == Goal() else plain(goal.name, 30)


def framed(title: str, handles: list[Line2D], heading: str) -> tuple[Figure, Axes]:
    """A figure with one pair of axes that always has the same room, a title above it and a legend below.

    Args:
        title: a line; one that is too long is broken at its last comma.
        handles: labelled lines that the legend shows.
        heading: of the legend; may be empty.
    """
    columns = 2 if all(len(str(handle.get_label())) <= TITLE_LENGTH // 2 for handle in handles) else 1
    if len(title) > TITLE_LENGTH and "\n" not in title:
        title = "\n".join(part.strip() for part in title.rsplit(",", 1))
    rows = math.ceil(len(handles) / columns) + bool(heading) + title.count("\n")
    figure = Figure(figsize=(WIDTH, HEIGHT + 0.16 * rows))
    axes = figure.add_subplot()
    axes.set_title(title)
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, title=heading or None)
    return figure, axes


def log_ticks(axis: Axis, low: float, high: float) -> None:
    """Plain numbers along a logarithmic axis from `low` to `high`, as many as can be read."""
    axis.set_major_locator(FixedLocator(round_numbers(low, high)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
