"""What a conversation was about, in the customer's own sentences.

In: what the customer wrote, and an encoder. Out: the few sentences that say most of what all of them say, in the
order in which they were written: those closest to the others on average (LexRank's degree centrality, Erkan and
Radev 2004), with the latest one always among them, for that is where the bot gave up. Nothing is reworded.
"""

import re
from collections.abc import Callable, Sequence

from chatbot.domain import Vectors

SENTENCES = 3
_END = re.compile(r"(?<=[.!?。！？；\n])\s*")


def summary(texts: Sequence[str], encode: Callable[[Sequence[str]], Vectors], most: int = SENTENCES) -> list[str]:
    """At most `most` sentences of `texts`, oldest first; each once."""
    sentences = list(dict.fromkeys(s.strip() for text in texts for s in _END.split(text) if s.strip()))
    if len(sentences) <= most:
        return sentences
    vectors = encode(sentences)
    central = (vectors @ vectors.mean(0)).tolist()
    last = len(sentences) - 1
    best = sorted(range(last), key=lambda i: (-central[i], i))[: most - 1]
    return [sentences[i] for i in (*sorted(best), last)]
