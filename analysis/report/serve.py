"""The page of runs that go on, for a browser on this machine alone.

It listens on the loopback address, answers two paths, and only to that address by name: a page from elsewhere in the
same browser could else reach it under a name that it had pointed here (DNS rebinding).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mfbo.analysis.report.material import gather, runs_in
from mfbo.analysis.report.page import page, waiting
from mfbo.display.text import clean
from mfbo.errors import BadValue, MfboError
from mfbo.ledger.journal import FILE
from mfbo.study.folder import described_in, missing
from mfbo.study.phases_result import EXPLORE, PHASES

HOST = "127.0.0.1"
REST_FACTOR = 20  # times what a page took to make, before the next is: the run itself needs the processor


class Source:
    """The page of runs as they are now; made anew only where a ledger has grown, and not all the time.

    Args:
        places: folders of runs or studies.
        clock: seconds.
    """

    def __init__(self, places: Sequence[Path | str], clock: Callable[[], float] = time.monotonic) -> None:
        self._places, self._clock = list(places), clock
        self._lock = threading.Lock()
        self._next = 0.0
        self._version, self._page = "", ""
        self.page()
        self._next = 0.0  # the first one took what libraries take to load

    def state(self) -> dict[str, Any]:
        """``version``, which changes with the runs, and ``ended``: whether all of them have."""
        whole = all(_begun(Path(place)) for place in self._places)  # before the folders: what begins between is open
        folders = [folder for place in self._places for folder in runs_in(Path(place), live=True)]
        sizes = [(folder / FILE).stat().st_size for folder in folders]
        ended = whole and all(map(_ended, folders))
        soon = self._clock() < self._next and not ended
        return {"version": self._version if soon else "-".join(map(str, sizes)) or "none", "ended": ended}

    def page(self) -> str:
        """The page.

        Raises:
            MfboError: the runs cannot be read.
        """
        with self._lock:
            version = str(self.state()["version"])
            if version != self._version or not self._page:
                begun = self._clock()
                material = gather(self._places, live=True)
                self._page = page(material, live=version) if material.parts else waiting(live=version)
                self._version, now = version, self._clock()
                self._next = now + REST_FACTOR * (now - begun)
            return self._page


def _begun(place: Path) -> bool:
    """Whether all runs of a study have begun: between two of them none is open, and yet it goes on."""
    if (place / EXPLORE / FILE).is_file():
        return (place / PHASES).is_file()
    return not described_in(place).is_file() or all(reason for _, reason in missing(place))


def _ended(folder: Path) -> bool:
    """Whether the last line of a ledger says so; reading all of it every two seconds would be a load."""
    with (folder / FILE).open("rb") as file:
        file.seek(max(0, file.seek(0, 2) - 4096))
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    return last.startswith(b'{"record":"end"')


def serve(places: Sequence[Path | str], port: int, told: Callable[[str], None]) -> None:
    """Serve the page until the user ends it with Ctrl-C.

    Args:
        places: folders of runs or studies.
        port: 0 for any that is free.
        told: is given the address.

    Raises:
        BadValue: the port cannot be used.
        MfboError: the runs cannot be read.
    """
    source = Source(places)
    try:
        server = ThreadingHTTPServer((HOST, port), _handler(source))
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadValue(f"port {port} cannot be used: {reason}; give another, or none for any that is free") from error
    server.daemon_threads = True
    told(f"http://{HOST}:{server.server_port}/")
    try:
        server.serve_forever(poll_interval=0.2)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


def _handler(source: Source) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers ``/`` and ``/state``."""

        def do_GET(self) -> None:
            """Answer."""
            port = self.connection.getsockname()[1]
            if self.headers.get("Host") not in (f"{HOST}:{port}", f"localhost:{port}"):
                self._say(HTTPStatus.FORBIDDEN, "text/plain", "this address alone")
                return
            try:
                if self.path == "/":
                    self._say(HTTPStatus.OK, "text/html", source.page())
                elif self.path == "/state":
                    self._say(HTTPStatus.OK, "application/json", json.dumps(source.state()))
                else:
                    self._say(HTTPStatus.NOT_FOUND, "text/plain", "there is / and /state")
            except (MfboError, OSError) as error:
                self._say(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", clean(error))

        def _say(self, status: HTTPStatus, kind: str, text: str) -> None:
            content = text.encode()
            self.send_response(status)
            for name, value in (
                ("Content-Type", f"{kind}; charset=utf-8"),
                ("Content-Length", str(len(content))),
                ("Cache-Control", "no-store"),
                ("X-Content-Type-Options", "nosniff"),
            ):
                self.send_header(name, value)
            self.end_headers()
            try:
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name in the standard library)
            """Say nothing on the terminal."""

    return Handler
