"""A command that is silent gives a sign of life; what it writes itself is not disturbed."""

from __future__ import annotations

import io
import itertools
import sys

import pytest

from mfbo.cli.sign_of_life import ERASE, LINE, SILENCE, SignOfLife


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Quiet(SignOfLife):
    """One whose thread does nothing: the test says when it looks."""

    def __init__(self):
        self.now = 0.0
        super().__init__(clock=lambda: self.now)

    def _watch(self):
        pass

    def look(self, seconds):
        """Let `seconds` pass, looking every tenth of one."""
        for _ in range(round(10 * seconds)):
            self.now += 0.1
            if self.now >= self._last + self._gap:
                self._sign()


KINDS = pytest.mark.parametrize("kind", [io.StringIO, Terminal])


def standard_error(monkeypatch, kind):
    """A stream of that kind as standard error; pytest sets its own between a fixture and the test."""
    stream = kind()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    return stream


@KINDS
def test_the_first_sign_comes_within_half_a_second_and_silence_is_never_longer_than_two(kind, monkeypatch):
    stderr = standard_error(monkeypatch, kind)
    with Quiet() as sign:
        lengths = []
        for _ in range(400):
            sign.look(0.1)
            lengths.append(len(stderr.getvalue()))
        assert lengths[4] > 0
        still = longest = 0
        for before, after in itertools.pairwise(lengths):
            still = 0 if after > before else still + 1
            longest = max(longest, still)
        assert longest <= 19


def test_in_a_pipe_there_are_few_lines(monkeypatch):
    stream = standard_error(monkeypatch, io.StringIO)
    with Quiet() as sign:
        sign.on_stage("measuring", 60)
        sign.look(2 * LINE)
    lines = stream.getvalue().splitlines()
    assert 2 <= len(lines) <= 4
    assert lines[0].startswith("measuring: 0s, at most 60s of them training ...")


@KINDS
def test_what_a_command_writes_begins_on_a_line_of_its_own(kind, monkeypatch):
    stderr = standard_error(monkeypatch, kind)
    with Quiet() as sign:
        sign.look(3)
        print("a line", file=sys.stderr)
        sign.look(SILENCE - 0.2)
        print("another", file=sys.stderr)
    text = stderr.getvalue()
    gap = ERASE if stderr.isatty() else "\n"
    assert text.endswith(f"{gap}a line\nanother\n")


@KINDS
def test_a_command_that_is_quick_is_left_as_it_is(kind, monkeypatch):
    stderr = standard_error(monkeypatch, kind)
    with Quiet() as sign:
        sign.look(0.1)
        print("done")
        sign.look(0.1)
        assert sys.stderr.isatty() == stderr.isatty()
    assert stderr.getvalue() == ""
    assert sys.stderr is stderr


@KINDS
def test_it_says_what_a_run_does_now(kind, monkeypatch):
    stderr = standard_error(monkeypatch, kind)
    with Quiet() as sign:
        sign.on_stage("preparing the data of imdb")
        sign.look(3)
        sign.on_stage("measuring what a trial costs here", 6)
        sign.look(3)
        sign.on_start(None)
        sign.look(3)
    text = stderr.getvalue()
    assert text.rindex("running trials: ") > text.rindex("measuring what a trial costs here: ")
    assert "preparing the data of imdb: " in text
    assert "measuring what a trial costs here: " in text


def test_a_stream_that_is_closed_ends_nothing(monkeypatch):
    stream = standard_error(monkeypatch, io.StringIO)
    with Quiet() as sign:
        stream.close()
        sign.look(5)
