from __future__ import annotations

import io
import re
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

import mfbo
from mfbo.display import LineDisplay, LiveDisplay, NoteDisplay, make, summary
from mfbo.display.progress import LAST_RESULTS
from mfbo.display.tables import aligned
from mfbo.display.text import clean, headline, number, seconds
from mfbo.evidence.curves import Incumbent, improvements
from mfbo.fidelity import Fidelity
from mfbo.ledger.observer import Observer, Several
from mfbo.ledger.run import Header, Limits, Run
from mfbo.ledger.writer import Ledger
from mfbo.search import Search
from mfbo.trial import Outcome, Rung, Trial

RUNGS = (Rung(1, 0.25, 0.0093), Rung(3, 0.43, 0.048), Rung(9, 0.64, 0.21), Rung(27, 1.0, 1.0))
TRACEBACK = """Traceback (most recent call last):
  File "train.py", line 3, in train
    raise ValueError("the learning rate is too high")
ValueError: the learning rate is too high
for this model
"""


class Clock:
    """Goes on only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Session:
    """A made-up run, in memory, that an observer watches."""

    def __init__(self, observer: Observer, clock: Clock | None = None, folder: Path | None = None, **facts) -> None:
        limits = facts.pop("limits", Limits.of(max_cost="1m"))
        header = Header(
            task=facts.pop("task", "digits"),
            search=Search(facts.pop("optimizer", "smac"), 7, "joint"),
            limits=limits,
            fidelity=Fidelity((1, 27), (0.25, 1.0)),
            rungs=facts.pop("rungs", RUNGS),
            space={},
            space_hash="",
            **facts,
        )
        self.ledger = Ledger.create(header, None)
        self.run = self.ledger.run
        self.run.folder = folder
        self.observer = observer
        self.clock = clock or Clock()
        self.incumbent = Incumbent(header.rungs)

    def begin(self) -> Session:
        self.observer.on_start(self.run)
        return self

    def ask(self, rung: int = 0, **config) -> Trial:
        trial = Trial(len(self.run.asks), config or {"lr": 0.00123456, "batch": 32}, self.run.header.rungs[rung])
        self.ledger.ask(trial)
        self.observer.on_trial(trial)
        return trial

    def tell(self, trial: Trial, loss: float | None, status="ok", cost=0.5, charge=None, **more) -> None:
        reached = more.pop("reached", trial.rung)
        outcome = Outcome(status, loss, reached, train=0.8 * cost, evaluation=0.2 * cost, **more)
        self.clock.now += cost
        charge = cost if charge is None else charge
        result = self.ledger.result(trial, outcome, overhead=0.0, charge=charge, wall=self.clock.now)
        self.incumbent.add(result)
        self.observer.on_result(result, self.incumbent.best)

    def trial(self, loss: float | None, rung: int = 0, status="ok", cost=0.5, config=None, **more) -> None:
        self.tell(self.ask(rung, **(config or {})), loss, status, cost, **more)

    def end(self, status: str = "budget") -> Run:
        self.ledger.end(status)
        self.observer.on_end(status)
        return self.run


def terminal(width: int = 80, height: int = 40) -> Console:
    stream = io.StringIO()
    return Console(file=stream, force_terminal=True, width=width, height=height, color_system="truecolor", _environ={})


def drawn(renderable, width: int = 80, height: int = 40) -> str:
    console = Console(
        file=io.StringIO(), force_terminal=True, width=width, height=height, color_system=None, _environ={}
    )
    console.print(renderable)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def live(clock):
    display = LiveDisplay(terminal(), clock, refreshes=0)
    yield display
    display.on_end("failed")


def busy(observer: Observer, clock: Clock | None = None, **facts) -> Session:
    """A run with a bit of everything."""
    session = Session(observer, clock, **facts).begin()
    for i in range(9):
        session.trial(0.5 - 0.01 * i)
    session.trial(None, status="failed", error=TRACEBACK)
    session.trial(None, status="diverged", error="the loss was NaN or infinite")
    session.trial(0.21234567, rung=1, cost=2.0, metrics={"accuracy": 0.93456, "f1": 0.9})
    session.trial(0.3, rung=1, status="stopped", cost=1.0)
    return session


def test_the_live_display_shows_budget_rungs_incumbent_trials_and_what_is_in_flight(live, clock):
    session = busy(live, clock, limits=Limits.of("1m", 50, "2m"))
    session.ask(2, lr=0.5, batch=64)
    clock.now += 1.5
    text = drawn(live.render())
    assert re.search(r"digits +smac +seed 7", text)
    assert re.search(r"cost .*10s of 1m +17%", text)  # 8.5 s charged, 1.5 s in flight
    assert re.search(r"trials .*12 of 50 +24%", text)
    assert re.search(r"wall .*10s of 2m +8%", text)
    assert re.search(r"25% of the data, 1 epoch +9 +0 +2 +0.42 +5.5s", text)
    assert re.search(r"43% of the data, 3 epochs +1 +1 +0 +0.2123 +3s", text)
    assert "64% of the data" not in text
    assert "best 0.2123 at 43% of the data, 3 epochs; trial 11, found at 7.5s" in text
    assert "accuracy=0.9346, f1=0.9" in text
    assert "lr=0.001235, batch=32" in text
    assert re.search(r"9 +25% data, 1 epoch +failed +- +0.5s +ValueError: the learning", text)
    assert re.search(r"13 +64% data, 9 epochs +running +- +1.5s +0.5 +64 *$", text, re.MULTILINE)
    assert re.search(r"trial +fidelity +status +loss +cost +lr +batch", text)


def test_a_budget_in_full_evaluations_is_shown_in_them(live, clock):
    session = Session(live, clock, limits=Limits.of("20x"), full_cost=100.0).begin()
    session.trial(0.5, cost=320.0, charge=3.2, virtual=True)
    session.ask()
    clock.now += 1000
    text = drawn(live.render())
    assert re.search(r"cost .*3.2x of 20x +16%", text)
    assert "found at 3.2x" in text
    assert "3.2x of 20x" in drawn(summary(session.run))


def test_time_left_follows_from_the_rate_and_is_not_guessed_at_first(live, clock):
    session = Session(live, clock).begin()
    session.trial(0.5, cost=1.0)
    assert "left" not in drawn(live.render())
    for _ in range(19):
        session.trial(0.5, cost=1.0)
    assert "about 40s left" in drawn(live.render())
    session.end()
    assert "left" not in drawn(live.render())


def test_time_left_of_a_resumed_run_counts_from_where_it_was_resumed(live, clock):
    session = Session(NoteDisplay(), clock)
    for _ in range(30):
        session.trial(0.5, cost=1.0)
    clock.now += 10_000
    session.observer = live
    session.begin()
    for _ in range(10):
        session.trial(0.4, cost=1.0)
    text = drawn(live.render())
    assert "40s of 1m" in text
    assert "about 20s left" in text


def test_the_end_is_said_and_nothing_is_in_flight_then(live, clock):
    session = busy(live, clock)
    session.ask(2)
    session.end("exhausted")
    text = drawn(live.render())
    assert "nothing left to try" in text
    assert "running" not in text


def test_the_terminal_is_given_back_as_it_was(clock):
    display = LiveDisplay(terminal(), clock)
    before = sys.stdout, sys.stderr, threading.active_count()
    busy(display, clock).end()
    display.on_end("budget")
    assert (sys.stdout, sys.stderr) == before[:2]
    written = display.console.file.getvalue()
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    assert written.endswith("\n\x1b[?25h")


def test_what_cannot_be_drawn_does_not_end_the_run(live, clock):
    session = Session(live, clock).begin()
    session.trial(0.5)
    session.run.limits = "nonsense"
    session.run.results[0].outcome.__dict__["rung"] = None
    live._progress.best.trial.__dict__["config"] = 3
    assert "cannot draw this run" in drawn(live.render())
    session.end()


@pytest.mark.parametrize("width", [1, 5, 10, 20, 39, 59, 60, 80, 200])
@pytest.mark.parametrize("height", [1, 10, 24, 100])
def test_any_size_of_terminal_will_do(width, height, clock):
    display = LiveDisplay(terminal(width, height), clock, refreshes=0)
    session = busy(display, clock)
    for _ in range(40):
        session.ask(2, **{f"hyperparameter_{i}": i / 7 for i in range(12)})
    text = drawn(display.render(), width, height)
    assert "cannot draw" not in text
    assert all(len(line) <= width for line in text.splitlines())
    session.end()


@pytest.mark.slow
@given(st.lists(st.dictionaries(st.text(max_size=12), st.floats(0, 1) | st.text(max_size=12)), max_size=5))
def test_aligned_configurations_have_a_line_each_and_values_are_whole_or_left_out(configs):
    for room in (1, 30, 10_000):
        names, *lines = aligned(configs, room)
        assert len(lines) == len(configs)
        assert len({cell_len(line) for line in (names, *lines)}) == 1
        assert cell_len(names) <= max(room, 24)  # the first one is always there
    for config, line in zip(configs, lines, strict=True):
        assert all(number(value, 3) in line for value in config.values())


def test_on_a_common_terminal_the_display_fits(live, clock):
    session = busy(live, clock, limits=Limits.of("1m", 50, "2m"))
    for rung in (2, 3):
        session.trial(0.2, rung=rung, metrics={"accuracy": 0.5})
    for _ in range(40):
        session.ask(2)
    lines = drawn(live.render(), 80, 24).splitlines()
    assert len(lines) <= 24
    assert any("more" in line and "running" in line for line in lines)


def test_what_a_running_trial_has_printed_last_is_shown_until_it_ends(live, clock):
    session = Session(live, clock).begin()
    trial = session.ask()
    live.on_output(trial, "epoch 1: loss 0.7")
    live.on_output(trial, f"epoch 2: \x1b[2Jloss 0.5{'!' * 200}")
    lines = drawn(live.render()).splitlines()
    assert sum("loss 0.5" in line for line in lines) == 1
    assert "loss 0.7" not in "".join(lines)
    assert all(len(line) <= 80 for line in lines)
    session.tell(trial, 0.5)
    assert "epoch 2" not in drawn(live.render())


def test_a_best_whose_loss_is_higher_than_before_says_why(clock):
    stream, live = io.StringIO(), LiveDisplay(terminal(), clock, refreshes=0)
    session = Session(Several(LineDisplay(stream, clock=clock), live), clock).begin()
    session.trial(0.2)
    assert "higher level" not in drawn(live.render())
    session.trial(0.3, rung=1)
    told = "best 0.3 at 43% of the data, 3 epochs, a higher level than that of 0.2"
    assert told in stream.getvalue()
    assert told in drawn(live.render(), 120)
    session.trial(0.1, rung=1)
    assert "higher level" not in drawn(live.render())
    session.end()


@pytest.mark.parametrize(("height", "shown"), [(24, 8), (50, 30)])
def test_a_taller_terminal_shows_more_trials(live, clock, height, shown):
    session = Session(live, clock).begin()
    for _ in range(60):
        session.trial(0.5)
    rows = [line for line in drawn(live.render(), 100, height).splitlines() if " ok " in line]
    assert len(rows) >= shown
    assert len(drawn(live.render(), 100, height).splitlines()) <= height


def test_names_of_hyperparameters_are_whole_where_there_is_room(live, clock):
    session = Session(live, clock).begin()
    session.trial(0.5, config={"learning_rate": 0.001, "weight_decay": 1e-5, "bidirectional": True})
    assert "learning_rate weight_decay bidirectional" in drawn(live.render(), 200, 50)
    assert "learni" in drawn(live.render(), 80)


HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m[bold red]x[/] [/nope]\r\n\x00\x7f\u202e\u2028\ud800:smile:"


def hostile(observer: Observer, clock: Clock | None = None) -> Session:
    rungs = (Rung(1, 0.5, 0.5), Rung(1, 1.0, 1.0))
    header = {
        "settings": mfbo.Settings(device=HOSTILE, options={HOSTILE: HOSTILE}),
        "versions": {HOSTILE: HOSTILE},
        "hardware": {HOSTILE: HOSTILE, "n": 2},
    }
    session = Session(
        observer,
        clock,
        task=HOSTILE,
        optimizer=HOSTILE,
        rungs=rungs,
        folder=Path("x" + HOSTILE.replace("\x00", "")),
        command=HOSTILE,
        created=HOSTILE,
        **header,
    ).begin()
    session.trial(0.5, config={HOSTILE: HOSTILE}, metrics={HOSTILE: 0.5})
    session.trial(0.4, config={HOSTILE: HOSTILE}, metrics={HOSTILE: 0.5})
    session.trial(None, status="failed", error=f"{HOSTILE}\n{HOSTILE}")
    session.trial(None, status="failed", error=f"{TRACEBACK}\n{HOSTILE}: {HOSTILE}")
    session.ask(0, **{HOSTILE: HOSTILE})
    observer.on_note(HOSTILE)
    return session


def harmless(text: str) -> bool:
    ours = re.sub(r"\x1b\[(\d+(;\d+)*m|\?25[hl]|\d*[AK]|2K)|\r(?=\x1b\[2K)|\n", "", text)
    return ours.isprintable() and "owned" not in ours and "[bold red]x[/] [/nope]" in ours


def test_hostile_text_is_neutralised_everywhere(clock):
    display = LiveDisplay(terminal(), clock, refreshes=0)
    session = hostile(display, clock)
    display._live.refresh()
    session.end(HOSTILE)
    assert harmless(display.console.file.getvalue())

    stream = io.StringIO()
    session = hostile(LineDisplay(stream))
    session.end(HOSTILE)
    assert harmless(stream.getvalue())

    for run in (session.run, hostile(NoteDisplay()).run):
        console = terminal()
        console.print(summary(run))
        assert harmless(console.file.getvalue())


@given(st.text(st.characters(codec=None, exclude_categories=())) | st.text("\x1b\x9b[]0;mPX^_\\\x07 ab\n"))
def test_cleaned_text_is_one_printable_line(text):
    assert clean(text).isprintable()
    assert clean(clean(text)) == clean(text)
    clean(text).encode()


@given(st.text(st.characters(categories=["L", "N", "P", "S"], exclude_characters="\x1b"), max_size=100))
def test_cleaning_leaves_harmless_text_alone(text):
    assert clean(text) == text


def test_the_headline_of_a_traceback_names_the_last_exception():
    assert headline(TRACEBACK) == "ValueError: the learning rate is too high"
    chained = f"{TRACEBACK}\nDuring handling of the above exception, another exception occurred:\n\n"
    chained += TRACEBACK.replace("ValueError", "mylib.Worse")
    assert headline(chained) == "mylib.Worse: the learning rate is too high"
    assert headline("\n  the worker died\nmore") == "the worker died"
    assert headline(None) == headline("  \n") == "no reason given"


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_number_and_duration_has_words(value):
    assert number(value)
    assert seconds(abs(value))
    if 1e-3 < abs(value) < 1e7:
        assert float(number(value)) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0s"), (0.01234, "0.012s"), (59.97, "1m"), (3599.9, "1h"), (100_000, "1d3h47m")]
)
def test_durations_are_rounded_to_what_a_reader_wants(value, text):
    assert seconds(value) == text


def test_lines_say_the_beginning_improvements_failures_and_the_end():
    stream, clock = io.StringIO(), Clock()
    session = busy(LineDisplay(stream, clock=clock), clock, folder=Path("runs/a"))
    session.trial(None, status="failed", error=TRACEBACK)
    session.end()
    lines = stream.getvalue().splitlines()
    assert lines[0] == "tuning digits with smac, seed 7; cost 1m; in runs/a"
    assert lines[1] == "0.5s of 1m: best 0.5 at 25% of the data, 1 epoch (trial 0: lr=0.001235, batch=32)"
    assert sum("ValueError: the learning rate is too high" in line for line in lines) == 1
    assert sum("best 0.2123" in line and "trial 11" in line for line in lines) == 1
    assert lines[-1].startswith("budget spent: 9s of 1m (15%), 13 trials, 3 failed, best 0.2123 at 43%")
    assert "\x1b" not in stream.getvalue()


def test_lines_say_where_a_resumed_run_stands():
    session = busy(NoteDisplay())
    stream = io.StringIO()
    LineDisplay(stream).on_start(session.run)
    assert stream.getvalue().startswith("resuming at 8.5s of 1m (14%), 12 trials, 2 failed, best 0.2123")


@pytest.mark.parametrize("kind", ["same", "better", "failing", "differently"])
def test_a_thousand_trials_write_few_lines(kind):
    stream, clock = io.StringIO(), Clock()
    session = Session(LineDisplay(stream, clock=clock), limits=Limits.of("1000s")).begin()
    for i in range(1000):
        if kind in ("same", "better"):
            session.trial(0.5 if kind == "same" else 1 / (i + 1), cost=1.0)
        else:
            session.trial(None, status="failed", cost=1.0, error=f"error {i if kind == 'differently' else ''}")
    session.end()
    assert len(stream.getvalue().splitlines()) <= 40


def test_progress_is_written_at_each_tenth_of_the_budget_or_after_a_while():
    stream, clock = io.StringIO(), Clock()
    session = Session(LineDisplay(stream, every=60, clock=clock), clock, limits=Limits.of("10h")).begin()
    for _ in range(20):
        session.trial(0.5, cost=30.0)
    progress = [line for line in stream.getvalue().splitlines() if "trials, best" in line]
    assert len(progress) == 9  # ten minutes, a line each, less the one that told of the incumbent

    stream = io.StringIO()
    session = Session(LineDisplay(stream, clock=Clock()), limits=Limits.of("100s")).begin()
    for _ in range(95):
        session.trial(0.5, cost=1.0)
    assert len(stream.getvalue().splitlines()) == 2 + 9


def test_a_stream_that_is_gone_or_narrow_minded_ends_no_run():
    gone = io.StringIO()
    display = LineDisplay(gone)
    gone.close()
    busy(display).end()
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    busy(LineDisplay(ascii_only), task="größe").end()
    ascii_only.seek(0)
    assert "tuning gr\\xf6\\xdfe with" in ascii_only.read()


def test_the_summary_tells_all_of_a_run():
    facts = {
        "versions": {"python": "3.12.1", "smac": "2.4.1"},
        "hardware": {"cpu": "AMD EPYC", "cores": 2, "system": "Linux", "memory_gib": 23.5},
        "command": "mfbo tune digits --max-cost 1m",
        "optimum": 0.2,
        "settings": mfbo.Settings(workers=2),
    }
    session = busy(NoteDisplay(), folder=Path("runs/a b"), **facts)
    session.ask()
    text = drawn(summary(session.run))
    assert "not finished: continue with `mfbo resume 'runs/a b'`" in text
    assert re.search(r"cost +8.5s of 1m: training 6.8s, evaluation 1.7s, overhead 0s", text)
    assert re.search(r"trials +12, 2 failed, 2 unfinished", text)
    assert re.search(r"machine +AMD EPYC, cores 2, Linux, memory_gib 23.5", text)
    assert re.search(r"options +workers=2 *$", text, re.MULTILINE)
    assert re.search(r"versions +python 3.12.1, smac 2.4.1", text)
    assert re.search(r"43% of the data, 3 epochs +1 +1 +0 +0.2123", text)
    assert "best 0.2123 at 43% of the data, 3 epochs; trial 11, found at 7.5s\n0.01235 above the optimum of 0.2" in text
    assert re.search(r"accuracy=0.9346", text)
    assert re.search(r"lr +0.00123456", text)
    assert len(improvements(session.run)) == len(re.findall(r"^ *[0-9.]+s +0\.\d+ +\d+ +\d\d% of", text, re.MULTILINE))
    assert re.search(r"1 +ValueError: the learning rate is too high", text)
    session.end("interrupted")
    assert "interrupted: continue with `mfbo resume 'runs/a b'`" in drawn(summary(session.run))
    session.end("exhausted")
    assert re.search(r"status +nothing left to try", drawn(summary(session.run)))


def test_a_run_without_results_has_a_summary_and_a_display(live, clock):
    session = Session(live, clock, limits=Limits()).begin()
    assert "digits" in drawn(live.render())
    assert re.search(r"cost +0s", drawn(live.render()))
    assert "not finished" in drawn(summary(session.run))


@pytest.mark.parametrize("width", [1, 10, 40, 80])
def test_the_summary_fits_any_width(width):
    text = drawn(summary(busy(NoteDisplay()).run), width)
    assert all(len(line) <= width for line in text.splitlines())


def test_a_trial_that_was_run_lower_than_asked_counts_for_the_rung_that_it_reached():
    session = Session(NoteDisplay())
    session.trial(0.5, rung=1)
    session.trial(0.3, rung=3, status="stopped", reached=RUNGS[1])
    text = drawn(summary(session.run))
    assert re.search(r"43% of the data, 3 epochs +1 +0 +0 +0.3", text)
    assert re.search(r"all data, 27 epochs +0 +1 +0 +- ", text)


def test_a_path_is_never_cut_short():
    folder = Path("/" + "long/" * 200 + "name")
    text = drawn(summary(Session(NoteDisplay(), folder=folder).run), 3000)
    assert f"mfbo resume {folder}`" in text


def test_a_long_history_is_cut_short():
    session = Session(NoteDisplay())
    for i in range(1000):
        session.trial(1 / (i + 1), cost=0.01)
        session.trial(None, status="failed", error=f"error {i}")
    text = drawn(summary(session.run))
    assert len(text.splitlines()) < 80
    assert "980 earlier" in text
    assert "980 other errors" in text


def test_what_a_display_keeps_does_not_grow_with_the_run(live, clock):
    session = Session(live, clock).begin()
    for _ in range(5000):
        session.trial(0.5)
    assert len(live._progress.last) <= LAST_RESULTS
    assert not live._progress.running
    assert len(live._progress.counts.rungs) == 1


def test_make_chooses_by_quiet_and_by_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    assert type(make(True, Terminal())) is NoteDisplay
    assert isinstance(make(False, io.StringIO()), LineDisplay)
    assert isinstance(make(False, Terminal()), LiveDisplay)
    assert isinstance(make(False), LineDisplay)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make(False, Terminal()), LineDisplay)
