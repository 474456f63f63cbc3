"""What a page of the staff carries in its head where they sign in: account.js, and its words."""

import json
from pathlib import Path

from chatbot.serve.login import LOGIN
from chatbot.serve.login_words import LOGIN_WORDS


def head() -> str:
    """HTML for a page's head."""
    script = Path(__file__).with_name("account.js").read_text("utf-8")
    words = {
        code: {"over": own.expired, "sign_in": own.sign_in, "signed_in": own.signed_in, "sign_out": own.sign_out}
        for code, own in LOGIN_WORDS.items()
    }
    return (
        f"<script>const ACCOUNT = {json.dumps({'login': LOGIN, **words}, ensure_ascii=False)};\n{script}</script>"
    )
