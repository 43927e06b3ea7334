"""Only plain files are read and copied, and no link is followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mfbo.errors import BadValue
from mfbo.files.plain import MAX_LEVELS, check_plain, copy_plain, read_plain, remove, replace_text


@pytest.fixture
def secret(tmp_path):
    """A file outside of the folder."""
    path = tmp_path / "secret"
    path.write_text("key")
    return path


@pytest.fixture
def folder(tmp_path):
    """A folder with a file and a folder."""
    path = tmp_path / "folder"
    (path / "deep").mkdir(parents=True)
    (path / "a.txt").write_text("a")
    (path / "deep" / "b.txt").write_text("b")
    return path


ODD = {
    "link": lambda place, secret: place.symlink_to(secret),
    "relative link": lambda place, secret: place.symlink_to(os.path.relpath(secret, place.parent)),
    "link to a folder": lambda place, secret: place.symlink_to(secret.parent),
    "link to nothing": lambda place, secret: place.symlink_to("nothing"),
    "link to itself": lambda place, secret: place.symlink_to(place.name),
    "hard link": lambda place, secret: place.hardlink_to(secret),
    "pipe": lambda place, secret: os.mkfifo(place),
}  # fmt: skip


@pytest.mark.parametrize("where", ["odd", "deep/odd"])
@pytest.mark.parametrize("kind", ODD)
def test_what_is_not_plain_is_refused_by_its_name_and_nothing_is_copied(folder, secret, tmp_path, kind, where):
    ODD[kind](folder / where, secret)
    with pytest.raises(BadValue, match=r"odd' is (a|no) ") as caught:
        copy_plain(folder, tmp_path / "copy")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "copy").exists()


def test_a_link_to_the_folder_itself_is_refused(folder, tmp_path):
    (tmp_path / "other").symlink_to(folder)
    with pytest.raises(BadValue, match="is a link"):
        copy_plain(tmp_path / "other", tmp_path / "copy")


def test_plain_files_are_copied_at_any_depth_over_what_is_there_and_names_can_be_left_out(folder, tmp_path):
    (folder / "deep" / "b.txt").chmod(0o444)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "a.txt").write_text("old")
    copy_plain(folder, tmp_path / "copy")
    copy_plain(folder, tmp_path / "copy")
    assert (tmp_path / "copy" / "a.txt").read_text() == "a"
    assert (tmp_path / "copy" / "deep" / "b.txt").read_text() == "b"
    copy_plain(folder, tmp_path / "less", without=("b.txt",))
    assert sorted(path.name for path in (tmp_path / "less").rglob("*")) == ["a.txt", "deep"]


def test_two_names_of_a_file_within_the_folder_are_copied(folder, tmp_path):
    (folder / "deep" / "again").hardlink_to(folder / "a.txt")
    copy_plain(folder, tmp_path / "copy")
    assert (tmp_path / "copy" / "deep" / "again").read_text() == "a"


def test_another_name_elsewhere_may_be_allowed(folder, secret):
    (folder / "hard").hardlink_to(secret)
    check_plain(folder)


@pytest.mark.parametrize("kind", sorted(set(ODD) - {"hard link"}))
def test_what_is_not_plain_is_not_read(folder, secret, kind):
    ODD[kind](folder / "odd", secret)
    with pytest.raises(BadValue, match=r"^it is (a link|no plain file)"):
        read_plain(folder / "odd", 100)


def test_a_file_is_read_up_to_its_bound(folder):
    assert read_plain(folder / "a.txt", 1) == b"a"
    with (folder / "large").open("wb") as file:
        file.truncate(2**40)  # takes no room
    with pytest.raises(BadValue, match="more than 1 MiB"):
        read_plain(folder / "large", 2**20)


def test_a_link_is_replaced_not_written_through(folder, secret):
    (folder / "report").symlink_to(secret)
    replace_text(folder / "report", "new")
    assert (folder / "report").read_text() == "new"
    assert not (folder / "report").is_symlink()
    assert secret.read_text() == "key"
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "deep", "report"]
    mask = os.umask(0o022)
    os.umask(mask)
    assert Path(folder / "report").stat().st_mode & 0o777 == 0o666 & ~mask


def nested(folder, levels):
    """So many folders within one another below `folder`, whose names together are too long for a path."""
    home = Path.cwd()
    os.chdir(folder)
    try:
        for _ in range(levels):
            Path("d" * 10).mkdir()
            os.chdir("d" * 10)
        Path("file").touch()
    finally:
        os.chdir(home)


def test_a_folder_is_removed_however_deep_it_is_and_what_it_links_to_is_not(folder, secret):
    (folder / "link").symlink_to(secret.parent)
    nested(folder / "deep", 1500)
    remove(folder)
    assert not folder.exists()
    assert secret.exists()
    remove(folder)  # what is not there


def test_folders_are_looked_at_to_a_bounded_depth(folder):
    nested(folder, MAX_LEVELS - 1)
    check_plain(folder)
    nested(folder / "deep", MAX_LEVELS + 1)
    with pytest.raises(BadValue, match=f"has more than {MAX_LEVELS} levels of folders"):
        check_plain(folder)
    remove(folder)
