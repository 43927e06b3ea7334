"""Reading one parquet file in the hub's layout, and saying in one line what is wrong with it."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mfbo.data.bounds import refuse_more
from mfbo.errors import BadData, MissingExtra

LABEL = "label"
_ROWS = 1000  # read at a time
MAX_PARQUET_ROWS = 20_000_000  # of a file; their labels alone take 160 MB
MAX_COLUMN_BYTES = 64 * 2**30  # of a column, unfolded
MAX_GROUP_BYTES = 2 * 2**30  # of a column in one row group, which is unfolded as a whole
MAX_VALUE_BYTES = 16 * 2**20  # of one text or image
MAX_BATCH_BYTES = 2**29  # of the rows that are read at a time


@dataclass(frozen=True)
class Layout:
    """The columns of a data set.

    Attributes:
        column: of the inputs; the labels are in ``label``.
        kind: ``image`` (a struct with the encoded bytes) or ``text``.
        classes: their names; label i stands for the i-th.
    """

    column: str
    kind: Literal["image", "text"]
    classes: tuple[str, ...]


def needed(module: str, extra: str) -> Any:
    """Import a library that only an extra brings.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise MissingExtra.of(library, extra) from error


def installed(module: str, extra: str) -> None:
    """Make sure that a library which only an extra brings is there, without importing it.

    Raises:
        MissingExtra: it is not installed.
    """
    if module not in sys.modules and find_spec(module) is None:
        raise MissingExtra.of(module, extra)


def check(path: Path, layout: Layout, extra: str) -> None:
    """Look at a file's size, footer and columns; read none of its rows.

    Raises:
        BadData: it is empty, cut short, no parquet, or its columns are not those of the layout.
    """
    types = needed("pyarrow.types", extra)
    if path.stat().st_size == 0:
        raise BadData(f"{str(path)!r} is empty (0 bytes); copy or download it again")
    with _opened(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        _check_size(path, file.metadata)
    for column in (layout.column, LABEL):
        if column not in schema.names:
            raise BadData(
                f"{str(path)!r} has no column {column!r}, it has {', '.join(schema.names) or 'none'}; "
                f"there must be {layout.column!r} and {LABEL!r}"
            )
    if rows == 0:
        raise BadData(f"{str(path)!r} has no rows; copy or download it again")
    values, labels = schema.field(layout.column).type, schema.field(LABEL).type
    if not types.is_integer(labels):
        raise BadData(f"{str(path)!r}: column {LABEL!r} holds {labels}; it must hold integers, {_range(layout)}")
    if layout.kind == "text" and not (types.is_string(values) or types.is_large_string(values)):
        raise BadData(f"{str(path)!r}: column {layout.column!r} holds {values}; it must hold text (string)")
    if layout.kind == "image" and not (types.is_struct(values) and values.get_field_index("bytes") >= 0):
        raise BadData(
            f"{str(path)!r}: column {layout.column!r} holds {values}; it must hold images as the hub does, "
            "struct<bytes: binary, path: string>"
        )


def row_count(path: Path) -> int:
    """Rows of a file that has passed `check`."""
    with _opened(path) as file:
        return int(file.metadata.num_rows)


def inputs(path: Path, layout: Layout) -> Iterator[list[Any]]:
    """The inputs of a file that has passed `check`, some at a time: texts, or the bytes of images.

    Raises:
        BadData: one is null, or the file is damaged.
    """
    column = layout.column if layout.kind == "text" else f"{layout.column}.bytes"
    row = 0
    with _opened(path, column) as file:
        for batch in file.iter_batches(batch_size=_ROWS, columns=[column]):
            array = batch.column(0)
            array = array if layout.kind == "text" else array.field("bytes")
            _check_values(path, array, row, layout.kind)
            values = array.to_pylist()
            if None in values:
                bad = row + values.index(None)
                raise BadData(
                    f"{str(path)!r}, row {bad}: column {layout.column!r} is null; there must be {layout.kind}s"
                )
            row += len(values)
            yield values


def labels(path: Path, layout: Layout) -> NDArray[np.int64]:
    """The labels of a file that has passed `check`: (n,), each from 0 to the number of classes - 1.

    Raises:
        BadData: one is null or out of range, or the file is damaged.
    """
    with _opened(path) as file:
        column = file.read(columns=[LABEL]).column(0)
        missing = np.flatnonzero(column.is_null().to_numpy())
        if missing.size:
            raise BadData(f"{str(path)!r}, row {missing[0]}: column {LABEL!r} is null; allowed: {_range(layout)}")
        found: NDArray[Any] = column.to_numpy()
    bad = np.flatnonzero((found < 0) | (found >= len(layout.classes)))
    if bad.size:
        raise BadData(f"{str(path)!r}, row {bad[0]}: label {found[bad[0]]}; allowed: {_range(layout)}")
    return found.astype(np.int64)


def _check_size(path: Path, metadata: Any) -> None:
    """Refuse a file that unfolds to more than can be read.

    Raises:
        BadData: it does.
    """
    if metadata.num_rows > MAX_PARQUET_ROWS:
        raise BadData(f"{str(path)!r} claims to have {metadata.num_rows} rows; at most {MAX_PARQUET_ROWS} are read")
    columns: dict[str, int] = {}
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(group.num_columns):
            column = group.column(place)
            name, size = column.path_in_schema, column.total_uncompressed_size
            refuse_more(size, MAX_GROUP_BYTES, path, f"column {name!r} in row group {number}")
            columns[name] = columns.get(name, 0) + size
            refuse_more(columns[name], MAX_COLUMN_BYTES, path, f"column {name!r}")


def _check_values(path: Path, array: Any, row: int, kind: str) -> None:
    """Refuse rows that are larger than they may be; each value is in memory once so far, however often it is there.

    Raises:
        BadData: they are.
    """
    compute = importlib.import_module("pyarrow.compute")
    lengths = compute.binary_length(array.dictionary).take(array.indices).drop_null().to_numpy(zero_copy_only=False)
    if not lengths.size:
        return
    where = f"{kind}s in rows {row} to {row + len(array) - 1}"
    refuse_more(int(lengths.max()), MAX_VALUE_BYTES, path, f"one of the {where}")
    refuse_more(int(lengths.sum(dtype=np.int64)), MAX_BATCH_BYTES, path, f"the {where}")


def _range(layout: Layout) -> str:
    return f"0 to {len(layout.classes) - 1}"


@contextlib.contextmanager
def _opened(path: Path, column: str | None = None) -> Iterator[Any]:
    """A parquet file, open; what pyarrow says of a damaged one, in one line.

    Args:
        path: of the file.
        column: whose values are read as a dictionary, as one may be there very often.
    """
    arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    try:
        with parquet.ParquetFile(path, read_dictionary=[column] if column else None) as file:
            yield file
    except (arrow.ArrowException, OSError, MemoryError) as error:
        reason = " ".join(str(error).split())[:160]
        raise BadData(f"{str(path)!r} is damaged or cut short: {reason}; copy or download it again") from error
