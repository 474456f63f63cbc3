"""How customers mistype: slips of the finger, characters that sound alike, and the other Chinese script.

In: a text and a `random.Random`. Out: the text with one mistake, or as it was where none fits. Training meets
these so that they cost little (learn/contrastive.py, learn/relevance.py), and the robustness report counts what
they cost (learn/perturb.py).
"""

import random
from functools import cache

from opencc import OpenCC
from pypinyin import lazy_pinyin

NOISY_SHARE = 0.2  # of the texts that a model learns from, how many are mistyped
COMMON = (0xB0, 0xD7)  # rows of GB 2312 that hold its 3,755 most common characters


def maybe_noisy(text: str, chance: random.Random) -> str:
    """The text as it is or, now and then, with one mistake."""
    return noisy(text, chance) if chance.random() < NOISY_SHARE else text


def noisy(text: str, chance: random.Random) -> str:
    """One mistake of the kinds that the text's script allows."""
    kinds = (slip, homophone, lambda given, _: other_script(given)) if has_chinese(text) else (slip,)
    return chance.choice(kinds)(text, chance) if len(kinds) > 1 else slip(text, chance)


def slip(text: str, chance: random.Random) -> str:
    """The text with one slip of the finger: a character lost, doubled, or swapped with the next one."""
    if len(text) < 3:
        return text
    at = chance.randrange(len(text) - 1)
    kind = chance.randrange(3)
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1 or text[at] == text[at + 1]:  # swapping these two would change nothing
        return text[:at] + text[at] + text[at:]
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def homophone(text: str, chance: random.Random) -> str:
    """One Chinese character replaced by another common one that sounds alike but for its tone."""
    sounds = _alike()
    places = [at for at, sign in enumerate(text) if has_chinese(sign) and len(sounds.get(_sound(sign), "")) > 1]
    if not places:
        return text
    at = chance.choice(places)
    others = sounds[_sound(text[at])].replace(text[at], "")
    return text[:at] + chance.choice(others) + text[at + 1 :]


def other_script(text: str) -> str:
    """Simplified Chinese in traditional characters, traditional Chinese in simplified ones."""
    traditional = str(_converter("s2t").convert(text))
    return traditional if traditional != text else str(_converter("t2s").convert(text))


def has_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


@cache
def _converter(way: str) -> OpenCC:
    return OpenCC(way)


@cache
def _sound(character: str) -> str:
    """Pinyin without tone."""
    return str(lazy_pinyin(character)[0])


@cache
def _alike() -> dict[str, str]:
    """Common characters by sound."""
    sounds: dict[str, str] = {}
    for row in range(COMMON[0], COMMON[1] + 1):
        for cell in range(0xA1, 0xFF):
            character = bytes((row, cell)).decode("gb2312", "ignore")
            if has_chinese(character):
                sounds[_sound(character)] = sounds.get(_sound(character), "") + character
    return sounds
