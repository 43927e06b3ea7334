from __future__ import annotations

import multiprocessing
import os
import urllib.error
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_data import png, write
from PIL import Image

from mfbo import data
from mfbo.data import cache, parquet
from mfbo.data.splits import nested_subset, stratified_split
from mfbo.errors import BadData, MissingExtra, UnknownName

CALLS = "calls.txt"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MFBO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MFBO_DATA", raising=False)


def encode(batch):
    return [list(map(len, text.split())) for text in batch]


# --- what is read


def test_images_come_as_they_were_stored(tmp_path):
    colours = [(i, 2 * i, 255 - i) for i in range(20)]
    root = write(tmp_path, "cifar10", img=[png(colour=c) for c in colours], label=[i % 10 for i in range(20)])
    found = data.images(data_dir=root)
    assert found.train.shape == (20, 32, 32, 3)
    assert [tuple(image[5, 7]) for image in found.train] == colours
    assert found.test_labels.tolist() == [i % 10 for i in range(20)]
    assert len(found.classes) == 10


def test_tokens_are_the_texts_one_after_the_other(tmp_path):
    root = write(tmp_path, "ag_news", text=["a bb", "", "ccc a a"], label=[0, 3, 1])
    found = data.tokens("ag_news", "lengths", encode, root, empty=7)["train"]
    assert [found.row(i).tolist() for i in range(3)] == [[1, 2], [7], [3, 1, 1]]
    assert found.lengths.tolist() == [2, 1, 3]
    assert found.labels.tolist() == [0, 3, 1]


def test_a_text_of_100_000_words_is_cut(tmp_path):
    root = write(tmp_path, "imdb", text=["word " * 100_000, "short"], label=[0, 1])
    assert data.tokens("imdb", "lengths", encode, root)["train"].lengths.tolist() == [4096, 1]
    assert data.words("imdb", root)["train"].tokens.lengths.tolist() == [4096, 1]


def test_an_empty_text_is_one_unknown_word(tmp_path):
    root = write(tmp_path, "imdb", text=["", " ... ", "good good"], label=[0, 1, 1])
    words = data.words("imdb", root)["train"]
    vocabulary = words.vocabulary()
    assert vocabulary.words == ("<pad>", "<unk>", "good")
    assert [words.encoded(vocabulary).row(i).tolist() for i in range(3)] == [[1], [1], [2, 2]]


def test_a_vocabulary_knows_the_chosen_rows_only(tmp_path):
    root = write(tmp_path, "imdb", text=["alpha alpha beta beta", "gamma gamma", "gamma alpha"], label=[0, 1, 1])
    words = data.words("imdb", root)["train"]
    assert set(words.vocabulary([0]).words) == {"<pad>", "<unk>", "alpha", "beta"}
    assert words.vocabulary(size=3).words == ("<pad>", "<unk>", "alpha")


def test_all_three_ways_to_a_vocabulary_agree(tmp_path):
    raw = ["It's <br />not THAT bad, not that good", "that's it", "bad bad film"]
    root = write(tmp_path, "imdb", text=raw, label=[0, 1, 1])
    words = data.words("imdb", root)["train"]
    vocabulary = words.vocabulary()
    assert vocabulary == data.build_vocabulary(raw)
    encoded = words.encoded(vocabulary)
    assert [encoded.row(i).tolist() for i in range(3)] == [vocabulary.encode(text) for text in raw]


def test_a_vocabulary_is_read_back_as_it_was_written(tmp_path):
    vocabulary = data.build_vocabulary(["naïve naïve 日本 日本"])
    vocabulary.save(tmp_path / "v.json")
    assert data.Vocabulary.load(tmp_path / "v.json") == vocabulary
    (tmp_path / "v.json").write_text('["a", "b"]')
    with pytest.raises(BadData, match="no vocabulary"):
        data.Vocabulary.load(tmp_path / "v.json")
    with pytest.raises(BadData, match="cannot be read"):
        data.Vocabulary.load(tmp_path / "none.json")


# --- subsets of what is sorted by label, as the hub's IMDb is


def test_subsets_of_label_sorted_texts_have_every_class_and_are_nested(tmp_path):
    root = write(tmp_path, "imdb", text=[f"review {i}" for i in range(600)], label=[0] * 300 + [1] * 300)
    labels = data.words("imdb", root)["train"].tokens.labels
    assert labels[:300].max() == 0, "the case is the one to catch: a first part would have one class"
    kept, held = stratified_split(labels, 0.1, 3)
    before = np.array([], int)
    for fraction in (0.01, 0.1, 0.3, 1.0):
        rows = kept[nested_subset(labels[kept], fraction, 3)]
        counts = np.bincount(labels[rows], minlength=2)
        assert counts.min() >= 20
        assert counts.max() - counts.min() <= 1
        assert np.isin(before, rows).all()
        assert not np.isin(rows, held).any()
        before = rows


# --- what is wrong with a file, in one line


def first_use(name: str, root: Path) -> None:
    _ = data.images(data_dir=root).train if name == "cifar10" else data.words(name, root)["train"]


@pytest.mark.parametrize(
    ("name", "columns", "says"),
    [
        ("imdb", {"review": ["a"], "label": [0]}, "no column 'text', it has review, label"),
        ("imdb", {"text": ["a"]}, "no column 'label', it has text"),
        ("imdb", {"text": pa.array([], pa.string()), "label": pa.array([], pa.int64())}, "no rows"),
        ("imdb", {"text": [1], "label": [0]}, "column 'text' holds int64; it must hold text"),
        ("imdb", {"text": ["a"], "label": ["pos"]}, "column 'label' holds string; it must hold integers, 0 to 1"),
        ("imdb", {"text": ["a", "b"], "label": [0, 2]}, "row 1: label 2; allowed: 0 to 1"),
        ("imdb", {"text": ["a", "b"], "label": [0, -1]}, "row 1: label -1; allowed: 0 to 1"),
        ("imdb", {"text": ["a", "b"], "label": [None, 1]}, "row 0: column 'label' is null"),
        ("imdb", {"text": ["a", None], "label": [0, 1]}, "row 1: column 'text' is null"),
        ("ag_news", {"text": ["a"], "label": [4]}, "row 0: label 4; allowed: 0 to 3"),
        ("cifar10", {"img": ["a"], "label": [0]}, "column 'img' holds string; it must hold images"),
        ("cifar10", {"img": [png(), png(48, 32)], "label": [0, 1]}, "row 1: the image is 48x32 pixels; it must be 32"),
        ("cifar10", {"img": [{"bytes": b"junk", "path": None}], "label": [0]}, "row 0: the image cannot be decoded"),
        ("cifar10", {"img": [png()], "label": [10]}, "row 0: label 10; allowed: 0 to 9"),
    ],
)
def test_bad_rows_and_columns_are_named(tmp_path, name, columns, says):
    with pytest.raises(BadData) as caught:
        first_use(name, write(tmp_path, name, **columns))
    assert says in str(caught.value)
    assert "train.parquet" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["cifar10", "imdb"])
@pytest.mark.parametrize(("size", "says"), [(0, "is empty (0 bytes)"), (0.6, "damaged or cut short")])
def test_an_empty_or_cut_file_is_named(tmp_path, name, size, says):
    column = {"img": [png()]} if name == "cifar10" else {"text": ["a"]}
    root = write(tmp_path, name, **column, label=[0])
    path = root / name / "train.parquet"
    os.truncate(path, int(size * path.stat().st_size))
    with pytest.raises(BadData, match=r"train\.parquet") as caught:
        first_use(name, root)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_page_that_is_damaged_inside_is_found(tmp_path):
    root = write(tmp_path, "imdb", text=[f"text {i}" * 9 for i in range(999)], label=[0] * 999)
    path = root / "imdb" / "train.parquet"
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)
    with pytest.raises(BadData, match="damaged or cut short"):
        first_use("imdb", root)


def test_no_data_and_no_network_names_where_it_looked_and_both_ways_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("MFBO_DATA", str(tmp_path / "own"))
    with pytest.raises(BadData) as caught:
        data.texts("agnews")
    text = str(caught.value)
    assert "\n" not in text
    assert str(tmp_path / "own" / "ag_news") in text
    assert str(tmp_path / "cache" / "data" / "ag_news") in text
    assert "mfbo data get ag_news" in text
    assert "--data-dir" in text
    assert "MFBO_DATA" in text


@pytest.mark.slow
@pytest.mark.needs("datasets")
def test_get_says_in_one_line_that_the_hub_cannot_be_reached(monkeypatch):
    def no_route(*args, **kwargs):
        raise urllib.error.URLError("no route\nto host")

    monkeypatch.setattr("urllib.request.urlopen", no_route)
    with pytest.raises(BadData) as caught:
        data.get("imdb")
    text = str(caught.value)
    assert text.startswith("cannot download stanfordnlp/imdb")
    assert "MFBO_DATA" in text
    assert "\n" not in text


def test_what_get_downloads_is_found(tmp_path, monkeypatch):
    table = pa.table({"text": ["good", "bad"], "label": [1, 0]})

    class Split:
        def to_parquet(self, path):
            pq.write_table(table, path)

    class Hub:
        def load_dataset(self, name, split):
            assert name == "stanfordnlp/imdb"
            return Split()

    monkeypatch.setattr("mfbo.data.hub.unreachable", lambda: "")
    real = parquet.needed
    monkeypatch.setattr(
        "mfbo.data.sources.needed", lambda module, extra: Hub() if module == "datasets" else real(module, extra)
    )
    assert data.get("imdb") == tmp_path / "cache" / "data" / "imdb"
    assert data.words("imdb")["train"].tokens.labels.tolist() == [1, 0]
    assert data.get("imdb") == tmp_path / "cache" / "data" / "imdb"


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownName, match="did you mean 'imdb'"):
        data.texts("imbd")
    with pytest.raises(UnknownName, match="cifar10"):
        data.texts("cifar10")


def test_a_missing_library_names_the_extra():
    with pytest.raises(MissingExtra, match=r"pip install 'mfbo-tune\[text\]'"):
        parquet.needed("no_such_library", "text")


# --- prepared once


def test_a_split_is_prepared_once_and_the_test_split_not_before_it_is_asked_for(tmp_path):
    root = write(tmp_path, "imdb", text=["a b", "c"], label=[0, 1])
    calls = []

    def counted(batch):
        calls.append(len(batch))
        return encode(batch)

    for _ in range(3):
        found = data.tokens("imdb", "counted", counted, root)["train"]
    assert calls == [2]
    assert isinstance(found.ids, np.memmap)
    assert not found.ids.flags.writeable
    assert data.status(root)[2].prepared == ("train",)


def _in_another_process(root: str, folder: str) -> None:
    def logged(batch):
        with (Path(folder) / CALLS).open("a") as file:
            file.write("x")
        return encode(batch)

    assert data.tokens("imdb", "logged", logged, root)["train"].lengths.tolist() == [2, 1]


@pytest.mark.slow
def test_of_several_processes_one_prepares(tmp_path):
    root = write(tmp_path, "imdb", text=["a b", "c"], label=[0, 1])
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_in_another_process, args=(str(root), str(tmp_path))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    assert (tmp_path / CALLS).read_text() == "x"


def test_images_are_not_decoded_twice(tmp_path, monkeypatch):
    root = write(tmp_path, "cifar10", img=[png()] * 3, label=[0, 1, 2])
    first = data.images(data_dir=root).train
    monkeypatch.setattr(Image, "open", None)
    again = data.images(data_dir=root).train
    assert isinstance(again, np.memmap)
    assert (again == first).all()


def test_changed_files_are_prepared_anew(tmp_path):
    root = write(tmp_path, "imdb", text=["a", "b"], label=[0, 1])
    assert len(data.words("imdb", root)["train"].tokens) == 2
    write(tmp_path, "imdb", text=["a", "b", "c"], label=[0, 1, 1])
    assert len(data.words("imdb", root)["train"].tokens) == 3


@pytest.mark.parametrize("damage", ["cut", "flipped", "meta"])
def test_a_damaged_cache_is_prepared_anew(tmp_path, damage):
    root = write(tmp_path, "imdb", text=["a bb", "c"], label=[0, 1])
    data.tokens("imdb", "k", encode, root)["train"]
    (folder,) = (tmp_path / "cache" / "prepared").glob("imdb-*")
    ids = folder / "ids.npy"
    if damage == "meta":
        (folder / "meta.json").write_text('{"arrays": []}')
    else:
        content = ids.read_bytes()
        ids.write_bytes(content[:-1] if damage == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
        cache._checksum.cache_clear()
    assert data.tokens("imdb", "k", encode, root)["train"].row(0).tolist() == [1, 2]


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    root = write(tmp_path, "imdb", text=["a"], label=[0])

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(BadData, match="No space left on device; set MFBO_CACHE"):
        first_use("imdb", root)
    assert cache.entries() == []


def test_status_tells_of_each_data_set(tmp_path):
    root = write(tmp_path, "imdb", text=["a", "b"], label=[0, 1])
    write(tmp_path, "ag_news", words=["a"], label=[0])
    by_name = {row.name: row for row in data.status(root)}
    assert by_name["imdb"].rows == {"train": 2, "test": 2}
    assert by_name["imdb"].problem == ""
    assert "no column 'text'" in by_name["ag_news"].problem
    assert by_name["cifar10"].where is None
