"""Files that somebody gives: which ones are meant, and the text that is in them, whatever its encoding.

In: paths of files and folders. Out: the files, and text as it was written; or a `CorpusError` that names the first
byte that does not fit, rather than a guess and garbled answers. What the text means is tabular.py's.
"""

import codecs
from collections.abc import Sequence
from pathlib import Path

from chatbot.bounds import read_bytes
from chatbot.errors import CorpusError

EVERYDAY_SHARE = 0.5  # of the non-ASCII characters; see _reads_as_chinese


def find_files(paths: Sequence[Path], suffixes: Sequence[str]) -> tuple[Path, ...]:
    """The files meant by `paths`: each file itself, and of a folder every file with such a suffix, by name.

    Lock files of an open spreadsheet (~$) and hidden files are passed over in a folder. Raises CorpusError for
    no path, a path that does not exist, another suffix, a folder with nothing to read, or one with a link that
    leads out of it: a folder stands for what is in it.
    """
    kinds = ", ".join(suffixes)
    if not paths:
        raise CorpusError(f"no file was given; give files or folders of {kinds}")
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [
                file
                for file in _entries(path)
                if file.suffix.lower() in suffixes and not file.name.startswith(("~$", ".")) and file.is_file()
            ]
            for file in inside:
                if not (place := file.resolve()).is_relative_to(path.resolve()):
                    raise CorpusError(
                        f"{file}: is a link that leads out of its folder, to {place}; name that file"
                    )
            if not inside:
                raise CorpusError(f"{path}: the folder holds no file of {kinds}; name the files or another folder")
            found.extend(inside)
        elif not path.exists():
            raise CorpusError(f"{path}: there is no such file or folder; check the path")
        elif path.suffix.lower() not in suffixes:
            raise CorpusError(f"{path}: cannot be read as {path.suffix or 'a file with no suffix'}; use {kinds}")
        else:
            found.append(path)
    return tuple(found)


def read_text(path: Path) -> str:
    """A text file without its byte order mark: UTF-8, UTF-16 with a mark, or GB18030."""
    return decoded(path, read_bytes(path))


def decoded(path: Path, data: bytes) -> str:
    """`read_text` of what is in the file, where that was read before."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as cause:
            raise CorpusError(f"{path}: byte {cause.start} is not UTF-16; save the file as UTF-8") from cause
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as cause:
        found = f"{path}: byte {cause.start} (0x{data[cause.start]:02x}) is not UTF-8"
    try:
        text = data.decode("gb18030").removeprefix("\ufeff")
    except UnicodeDecodeError as cause:
        raise CorpusError(f"{found}, and byte {cause.start} is not GB18030; save the file as UTF-8") from cause
    if not _reads_as_chinese(data, text):
        raise CorpusError(f"{found}, and read as GB18030 it is no Chinese text; save the file as UTF-8")
    return text


def _reads_as_chinese(data: bytes, text: str) -> bool:
    """Whether `text`, which is `data` as GB18030, can be meant: bytes of other encodings often decode as well.

    Chinese text is mostly punctuation and the 3,755 Han characters of GB 2312's first level; Western bytes that
    happen to decode are not. Big5 bytes may be, in short texts, but then read better as Big5. Japanese and Korean
    EUC bytes cannot be told apart this way.
    """
    everyday = _share(text, "gb2312", 0xD7)
    try:
        other = _share(data.decode("big5"), "big5", 0xC6)
    except UnicodeDecodeError:
        other = 0.0
    return everyday >= max(EVERYDAY_SHARE, other)


def _share(text: str, encoding: str, last: int) -> float:
    """Of the non-ASCII characters, the share that `encoding` has and puts under a lead byte up to `last`."""
    foreign = "".join(character for character in text if not character.isascii())
    leads = foreign.encode(encoding, "ignore")[::2]
    return sum(lead <= last for lead in leads) / max(1, len(foreign))


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as cause:
        raise CorpusError(f"{folder}: cannot be listed ({cause.strerror}); check its permissions") from cause
