"""Interim."""


class Incumbent:
    def __init__(self, rungs):
        self.best = None
        self._rungs = list(rungs)
        self._key = None

    def add(self, result):
        o = result.outcome
        if o.loss is None or o.status not in ("ok", "stopped"):
            return False
        level = max((i for i, r in enumerate(self._rungs) if r.work <= o.rung.work + 1e-9), default=-1)
        key = (-level, o.loss)
        if self._key is None or key < self._key:
            self._key = key
            self.best = result
            return True
        return False


def incumbent(run):
    inc = Incumbent(run.header.rungs)
    for r in run.results:
        inc.add(r)
    return inc.best


def improvements(run):
    inc = Incumbent(run.header.rungs)
    return [r for r in run.results if inc.add(r)]
