"""Ledgers with other records, whose checksums are right all the same: what a stranger could have written."""

from __future__ import annotations

import json
from pathlib import Path

from mfbo.ledger.journal import FILE
from mfbo.ledger.records import checksum


def records_of(folder: Path) -> list[dict]:
    """Its lines, without their checksums."""
    records = [json.loads(line) for line in (Path(folder) / FILE).read_bytes().splitlines()]
    return [{key: value for key, value in record.items() if key != "check"} for record in records]


def chained(records: list[dict | bytes]) -> bytes:
    """The bytes of a ledger with these records, or JSON objects, in which each line has its checksum."""
    content, check = b"", ""
    for record in records:
        body = record if isinstance(record, bytes) else json.dumps(record, separators=(",", ":")).encode()
        check = checksum(body, check)
        content += body[:-1] + f',"check":"{check}"}}\n'.encode()
    return content


def rewrite(folder: Path, records: list[dict | bytes]) -> None:
    """Write them to its ledger."""
    (Path(folder) / FILE).write_bytes(chained(records))
