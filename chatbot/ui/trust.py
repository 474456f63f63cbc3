"""How far a bot's confidence can be trusted: a sentence and a picture for each language it speaks, as HTML.

In: the lines of a bot with their calibrations. Out: HTML in the page's language. The picture is drawn from the
held-out questions that the thresholds were set on (learn/curves.py); nothing is read from disk.
"""

import base64
from collections.abc import Mapping

from chatbot.decide import Calibrated
from chatbot.ui.words import WORDS, Words


def trust(lines: Mapping[str, Calibrated], words: Words) -> str:
    return "".join(_of(language, line, words) for language, line in sorted(lines.items()))


def _of(language: str, line: Calibrated, words: Words) -> str:
    from chatbot.learn.curves import Labels, draw  # matplotlib takes half a second to import

    name = WORDS[language].name if language in WORDS else language
    confidence = line.calibration.alone
    if not confidence.held_out:
        return f"<p>{words.untold.format(language=name)}</p>"
    told = (words.promised if confidence.guaranteed else words.aimed).format(
        language=name, risk=f"{confidence.stated_risk:.0%}", number=len(confidence.held_out)
    )
    stated, right = zip(*confidence.held_out, strict=True)
    picture = draw(stated, right, confidence.answer_threshold, language, Labels(*words.curves))
    source = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    return f'<p>{told}</p><img src="{source}" alt="{told}" style="width:100%">'
