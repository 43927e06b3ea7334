"""Files of a few kilobytes that claim, or unfold to, more than any memory holds are refused in one line."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOTS
from made_data import png, write_images

from mfbo.adapters import sklearn_state
from mfbo.data import cache, parquet
from mfbo.data.bounds import read_npz
from mfbo.data.images import images
from mfbo.data.texts import texts
from mfbo.errors import BadData
from mfbo.tasks import digits

MEMORY = 2**30  # bytes that may be added while a bomb is looked at
LIMIT = "at most"


def header(shape, kind="<f8"):
    """An array's header that claims such a shape, with nothing behind it."""
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": kind, "fortran_order": False, "shape": shape})
    return out.getvalue()


def write_npz(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    assert path.stat().st_size < 2**20 * 8
    return path


def zeros(size):
    """An array of zero bytes, which packs to a thousandth."""
    out = io.BytesIO()
    np.save(out, np.zeros(size, np.uint8))
    return out.getvalue()


NPZ = {
    "claims": {"a": header((10**15,))},
    "claims in two dimensions": {"a": header((2**40, 2**40))},
    "claims together": {f"a{i}": header((2**28,)) for i in range(8)},
}  # fmt: skip


@pytest.mark.parametrize("kind", NPZ)
def test_arrays_that_claim_to_be_huge_are_refused_with_size_and_limit(tmp_path, kind):
    path = write_npz(tmp_path / "bomb.npz", NPZ[kind])
    with pytest.raises(BadData, match=rf"bomb\.npz': its arrays would take .* GiB of memory; {LIMIT} 4 GiB") as caught:
        read_npz(path)
    assert "\n" not in str(caught.value)


def test_arrays_that_unfold_to_much_are_refused_before_they_do(tmp_path):
    path = write_npz(tmp_path / "bomb.npz", {f"a{i}": zeros(2**22) for i in range(5)})
    with pytest.raises(BadData, match=rf"20 MiB of memory; {LIMIT} 16 MiB"):
        read_npz(path, 2**24)
    assert len(read_npz(path, 2**25)) == 5


@pytest.mark.parametrize(
    "content", [b"", b"PK\5\6" + bytes(18), b"no archive", b"\x93NUMPY\x01\x00\xff\xff" + b" " * 70_000]
)
def test_what_is_no_archive_is_damaged_or_empty(tmp_path, content):
    (tmp_path / "bad.npz").write_bytes(content)
    if content[:2] == b"PK":
        assert read_npz(tmp_path / "bad.npz") == {}
        return
    with pytest.raises(BadData, match="is damaged"):
        read_npz(tmp_path / "bad.npz")


def test_an_array_of_objects_is_not_read(tmp_path):
    path = write_npz(tmp_path / "bad.npz", {"a": header((1,), "|O")})
    with pytest.raises(BadData, match="Python objects"):
        read_npz(path)


class Model:
    """Has arrays of its own."""

    solver = "sgd"
    coefs_: tuple = ()
    intercepts_: tuple = ()
    _optimizer = type("Optimizer", (), {"velocities": ()})()


@pytest.mark.parametrize("load", [digits.load_state, sklearn_state.load])
def test_a_checkpoint_that_is_a_bomb_is_refused_with_its_limit(tmp_path, load):
    path = write_npz(tmp_path / "mlp.npz", {"step": header((2**50,)), "tree": header((2**50,))})
    with pytest.raises(BadData, match=LIMIT):
        load(Model(), path)


def test_a_cache_whose_header_claims_more_than_there_is_is_prepared_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("MFBO_CACHE", str(tmp_path))
    made = []

    def make():
        made.append(1)
        return {"a": np.arange(3)}

    cache.prepared("entry", "0", make)
    file = tmp_path / "prepared" / "entry" / "a.npy"
    file.write_bytes(header((10**15,)))
    described = tmp_path / "prepared" / "entry" / "meta.json"
    crc, size = zlib.crc32(file.read_bytes()), file.stat().st_size
    described.write_text(f'{{"source": "0", "arrays": {{"a": {{"bytes": {size}, "crc32": {crc}}}}}}}')
    assert cache.prepared("entry", "0", make)["a"].tolist() == [0, 1, 2]
    assert len(made) == 2
    described.write_text("[" * 100_000)
    cache.prepared("entry", "0", make)
    assert len(made) == 3


def write_rows(root, name, column, value, rows):
    """Both splits with the same value so often, which a dictionary keeps once."""
    (root / name).mkdir(parents=True, exist_ok=True)
    batch = pa.table({value: column, "label": pa.array(np.zeros(rows, np.int64))})
    for split in ("train", "test"):
        pq.write_table(batch, root / name / f"{split}.parquet", compression="zstd", store_schema=False)
        assert (root / name / f"{split}.parquet").stat().st_size < 2**20


def test_one_text_that_is_there_a_thousand_times_is_not_unfolded(tmp_path):
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int32)), pa.array(["x" * 2**23]))
    write_rows(tmp_path, "imdb", words, "text", 1000)
    with pytest.raises(BadData, match=rf"texts in rows 0 to 999 would take 7\.81 GiB of memory; {LIMIT} 512 MiB"):
        list(texts("imdb", tmp_path)["train"])


def test_one_huge_text_is_refused_with_its_limit(tmp_path):
    words = pa.DictionaryArray.from_arrays(pa.array([0], pa.int32()), pa.array(["x" * (2**24 + 1)]))
    write_rows(tmp_path, "imdb", words, "text", 1)
    with pytest.raises(BadData, match=rf"one of the texts .* {LIMIT} 16 MiB"):
        list(texts("imdb", tmp_path)["train"])


def test_the_rows_that_a_file_may_claim_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "MAX_PARQUET_ROWS", 9)
    write_rows(tmp_path, "imdb", pa.array(["good"] * 10), "text", 10)
    with pytest.raises(BadData, match="claims to have 10 rows; at most 9"):
        texts("imdb", tmp_path)["train"]


def test_what_a_column_unfolds_to_is_bounded_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "MAX_GROUP_BYTES", 1000)
    write_rows(tmp_path, "imdb", pa.array(["x" * 100_000]), "text", 1)
    with pytest.raises(BadData, match=rf"column 'text' in row group 0 would take .* {LIMIT} 0\.977 KiB"):
        texts("imdb", tmp_path)["train"]


def claims(width, height):
    """A PNG of a few bytes that claims to have such a size."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    shape = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", shape) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("width", "height"), [(12_000, 12_000), (50_000, 50_000), (2**31 - 1, 2**31 - 1), (32, 10**6)])
def test_an_image_that_claims_to_be_huge_is_refused_with_its_size(tmp_path, monkeypatch, width, height):
    monkeypatch.setenv("MFBO_CACHE", str(tmp_path / "cache"))
    write_images(tmp_path, 1)
    rows = [png(), {"bytes": claims(width, height), "path": None}]
    for split in ("train", "test"):
        table = pa.table({"img": rows, "label": [0, 1]})
        pq.write_table(table, tmp_path / "cifar10" / f"{split}.parquet")
    with pytest.raises(BadData, match=r"row 1: (the image is|.*decompression bomb)") as caught:
        len(images("cifar10", tmp_path).train)
    assert "\n" not in str(caught.value)


def test_nothing_else_in_the_package_unpacks_archives():
    found = {
        (path.name, word)
        for root in ROOTS.values()
        for path in root.rglob("*.py")
        for word in ("gzip", "bz2", "lzma", "tarfile", "zipfile")
        if f"import {word}" in path.read_text()
    }
    assert found == {("bounds.py", "zipfile")}


@pytest.mark.slow
def test_the_memory_of_a_process_does_not_grow_over_a_bomb(tmp_path):
    """The largest resident size of a process that meets each of them stays below a bound."""
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1000, np.int32)), pa.array(["x" * 2**23]))
    write_rows(tmp_path, "imdb", words, "text", 1000)
    write_npz(tmp_path / "bomb.npz", NPZ["claims"])
    script = """
import sys
from mfbo.data.bounds import read_npz
from mfbo.data.texts import texts
from mfbo.errors import BadData
from pathlib import Path
for read in (lambda: list(texts("imdb", sys.argv[1])["train"]), lambda: read_npz(Path(sys.argv[1]) / "bomb.npz")):
    try:
        read()
    except BadData:
        print("refused")
status = Path("/proc/self/status")
if status.exists():
    print(int(status.read_text().split("VmHWM:")[1].split()[0]) * 1024)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    *said, most = done.stdout.split()
    assert said == ["refused", "refused"]
    assert int(most) < MEMORY
