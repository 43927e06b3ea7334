"""The ledger of a run: what was asked, what came of it, and what it cost. `read` is the way in."""

from __future__ import annotations

from mfbo.ledger.journal import read

__all__ = ["read"]
