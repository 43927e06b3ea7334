"""Every error that mfbo raises on purpose, in one tree.

::

    MfboError                 one line for a person: the value, what is allowed, the fix (exit code 2)
    ├── UnknownName           no such task, optimizer, rung path ...; names the nearest
    ├── BadValue              a number, cost, seed or option outside what is allowed
    │   ├── NothingToShow     runs that have nothing for such a figure
    │   ├── NoObjective       an objective that the task does not report
    │   │   └── BadDirection  a trial measures something else than the run, or the other way round
    │   └── BadCost           a cost that cannot be read, or that buys nothing
    ├── BadTask               a task file that does not import, or a task that is no task
    ├── BadSpace              a space that cannot be read or has no hyperparameters
    ├── BadData               data that is missing, cut short or of the wrong form
    ├── MissingExtra          a library that this task or command needs is not installed
    ├── TrialFailed           a command whose training ended with an error, or said no loss
    ├── NoTrialSucceeded      every trial of a run failed; Python only
    ├── NoCluster             a Dask cluster that does not answer, or whose workers cannot be used
    └── RunError              something about a run folder
        ├── RunNotFound       no ledger there
        ├── RunExists         the folder holds another run
        ├── RunLocked         another process is writing to it
        ├── RunChanged        task, space or fidelity are no longer those of the run
        ├── RunPaused         something must be mended before it can go on: a full disk, workers that do not start
        └── BadLedger         a ledger that cannot be read, or that another mfbo wrote
            └── DamagedLedger  a line of it is damaged

    TrialStopped (BaseException)    raised by ``context.report`` to end a trial in order; not an error
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

DISTRIBUTION = "mfbo-tune"  # what pip calls the package; `mfbo` on the index is another project
MAX_LISTED_NAMES = 25  # of more, an error names the nearest only


def install_command(extra: str) -> str:
    """What to type for an extra.

    >>> install_command("vision")
    "pip install 'mfbo-tune[vision]'"
    """
    return f"pip install '{DISTRIBUTION}[{extra}]'"


class MfboError(Exception):
    """A mistake that a person can mend; its text is one line."""


class UnknownName(MfboError):
    """There is nothing of that name; the message has those there are, or of many the nearest.

    >>> str(UnknownName("task", "digts", ["digits", "branin"]))
    "unknown task 'digts'; did you mean 'digits'? There are: branin, digits"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        names = sorted(known)
        many = len(names) > MAX_LISTED_NAMES
        near = get_close_matches(name, names, n=3 if many else 1, cutoff=0.6 if many else 0.5)
        if many:
            guess = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            text = f"unknown {kind} {name!r}{guess}"
        else:
            guess = f"did you mean {near[0]!r}? There" if near else "there"
            text = f"unknown {kind} {name!r}; {guess} are: {', '.join(names) or 'none'}"
        super().__init__(f"{text}{'' if text.endswith('?') else ';'} {hint}" if hint else text)


class BadValue(MfboError):
    """A value outside what is allowed."""


class NothingToShow(BadValue):
    """A figure of runs that have nothing to show in it."""


class NoObjective(BadValue):
    """An objective that the task does not report."""


class BadDirection(NoObjective):
    """A metric of which a trial says otherwise than the run which way is better, or nothing."""


class BadCost(BadValue):
    """A cost that cannot be read, or that is too small to buy one trial."""


class BadTask(MfboError):
    """A task that cannot be loaded or is not well formed."""


class BadSpace(MfboError):
    """A configuration space that cannot be read or used."""


class BadData(MfboError):
    """Data that is missing, damaged or of the wrong form."""


class MissingExtra(MfboError):
    """A library is missing; the text says what to install."""

    @classmethod
    def of(cls, library: str, extra: str) -> MissingExtra:
        """For a library that an extra brings.

        >>> str(MissingExtra.of("torch", "vision"))
        "torch is not installed; get it with: pip install 'mfbo-tune[vision]', or '.[vision]' in a clone"
        """
        return cls(f"{library} is not installed; get it with: {install_command(extra)}, or '.[{extra}]' in a clone")


class TrialFailed(MfboError):
    """A trial that has no result; its text is all that there is to say of it."""


class NoTrialSucceeded(MfboError):
    """Every trial of a run failed.

    Attributes:
        result: the `mfbo.TuneResult`, with all that happened.
    """

    def __init__(self, text: str, result: object) -> None:
        super().__init__(text)
        self.result = result


class NoCluster(MfboError):
    """There is no Dask scheduler, or none of its workers can run trials."""


class RunError(MfboError):
    """Something about a run folder."""


class RunNotFound(RunError):
    """There is no ledger in that folder."""


class RunExists(RunError):
    """The folder already holds another run."""


class RunLocked(RunError):
    """Another process writes to this run."""


class RunChanged(RunError):
    """The task or its space are no longer those that the run began with."""


class BadLedger(RunError):
    """A ledger that cannot be read."""


class RunPaused(RunError):
    """The run cannot go on before something is mended, and can be resumed then."""


class DamagedLedger(BadLedger):
    """A ledger with a damaged line.

    Attributes:
        line: its number, from 1.
        offset: bytes before it.
    """

    def __init__(self, text: str, line: int, offset: int) -> None:
        super().__init__(text)
        self.line, self.offset = line, offset


class TrialStopped(BaseException):
    """Ends a trial in order: its time is up, or the user stopped the run."""
