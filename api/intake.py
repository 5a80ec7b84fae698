"""Taking in an upload: a case folder as a zip, or its files one by one. Nothing is written outside the folder meant for it."""

from __future__ import annotations

import shutil
import stat
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO, Final, Protocol

from api.problems import ApiError
from sufficiency.case import PARQUET, file_of
from sufficiency.tables.problems import InputError, InputProblem
from sufficiency.tables.schemas import SCHEMAS

KNOWN: Final = frozenset(
    {"case.toml", "case.json", "assumptions.toml", "areas.gpkg", *map(file_of, SCHEMAS), *(f"{name}.csv" for name in PARQUET)}
)
"""Files of a case. Tables that a case folder holds as Parquet may come as CSV, and areas as GeoPackage."""
CHUNK: Final = 1 << 20


class Sent(Protocol):
    """A file of an upload."""

    filename: str | None
    file: IO[bytes]


def take_in(sent: Sequence[Sent], folder: Path, unpacked_bytes: int) -> None:
    """Put the files of a case into ``folder``. Raises InputError for what is not a case, ApiError (413) for what is too large."""
    if len(sent) == 1 and (sent[0].filename or "").lower().endswith(".zip"):
        _unzip(sent[0], folder, unpacked_bytes)
    else:
        _copy_files(sent, folder, unpacked_bytes)
    if not (folder / "case.toml").is_file():
        raise _refused(
            "case.toml", "file is missing", "Send a case folder as `sufficiency case build` writes it, as a zip or file by file."
        )


def _copy_files(sent: Sequence[Sent], folder: Path, room: int) -> None:
    _refuse(_unknown([file.filename or "" for file in sent]))
    for file in sent:
        room -= _copy(file.file, folder / str(file.filename), room)


def _unzip(sent: Sent, folder: Path, room: int) -> None:
    name = str(sent.filename)
    try:
        with zipfile.ZipFile(sent.file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir() and not _clutter(member.filename)]
            _refuse([*_unsafe(members), *_unknown([PurePosixPath(member.filename).name for member in members])])
            for member in members:
                with archive.open(member) as stream:
                    room -= _copy(stream, folder / PurePosixPath(member.filename).name, room)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise _refused(name, f"can't be read as a zip: {error}", "Pack the case folder again.") from error


def _unsafe(members: Iterable[zipfile.ZipInfo]) -> list[InputProblem]:
    """Paths that lead elsewhere, links, and files of the same name in several folders."""
    found, folders = [], set()
    for member in members:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        folders.add(path.parent)
        if path.is_absolute() or ".." in path.parts or ":" in member.filename or len(path.parts) > 2:
            found.append(InputProblem(member.filename, "lies outside the case folder", "Pack the case folder itself, and nothing else."))
        if stat.S_ISLNK(member.external_attr >> 16):
            found.append(InputProblem(member.filename, "is a link", "Pack the file itself."))
        if member.flag_bits & 0x1:
            found.append(InputProblem(member.filename, "is encrypted", "Pack the case folder without a password."))
    if len(folders) > 1:
        found.append(InputProblem("zip", "holds more than one folder", "Pack one case folder.", value=", ".join(sorted(map(str, folders)))))
    return found


def _unknown(names: Sequence[str]) -> list[InputProblem]:
    remedy = f"Send only: {', '.join(sorted(KNOWN))}."
    twice = {name for name in names if names.count(name) > 1}
    return [InputProblem(name or "file", "is no file of a case", remedy) for name in sorted(set(names) - KNOWN)] + [
        InputProblem(name, "is there twice", "Send it once.") for name in sorted(twice)
    ]


def _clutter(name: str) -> bool:
    """What file managers add."""
    return name.startswith("__MACOSX/") or PurePosixPath(name).name in (".DS_Store", "Thumbs.db", "desktop.ini")


def _copy(source: IO[bytes], target: Path, room: int) -> int:
    """Bytes written; no more than ``room``, whatever the archive says about its size."""
    written = 0
    with target.open("xb") as stream:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > room:
                raise ApiError(413, "too-large", "The case is larger than this service takes once it is unpacked.")
            stream.write(chunk)
    return written


def _refuse(problems: list[InputProblem]) -> None:
    if problems:
        raise InputError(problems)


def _refused(file: str, message: str, remedy: str) -> InputError:
    return InputError([InputProblem(file, message, remedy)])


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def move_in(work: Path, target: Path) -> None:
    """Give a finished folder its place, in one step."""
    work.chmod(0o755)
    if target.exists():
        shutil.rmtree(target)
    work.rename(target)
