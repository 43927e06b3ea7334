"""Whether the Hugging Face hub can be reached: asked once and briefly, since its own client tries for a minute."""

from __future__ import annotations

import os
import urllib.error
import urllib.request

_SECONDS = 10


def unreachable() -> str:
    """Why the hub (``HF_ENDPOINT``, else huggingface.co) cannot be reached; empty if it can."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return "HF_HUB_OFFLINE is set"
    address = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        with urllib.request.urlopen(address, timeout=_SECONDS):  # noqa: S310
            return ""
    except urllib.error.HTTPError:
        return ""  # it answers
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"{address} cannot be reached ({reason})"
