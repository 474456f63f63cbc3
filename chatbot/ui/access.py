"""What every page carries in its head for people who use a keyboard or listen: access.js, and its words.

Gradio names some of its buttons in the browser's language, which need not be the page's, some in English and
some not at all; it tells an answer piece by piece, and drops the focus with the button that had it.
"""

import json
from collections.abc import Mapping
from pathlib import Path

LABELS: Mapping[str, Mapping[str, str]] = {  # as Gradio says them, where it does
    "send": {"en": "Send", "zh": "发送"},
    "stop": {"en": "Stop", "zh": "停止"},
    "log": {"en": "Conversation", "zh": "对话"},
    "user": {"en": "You", "zh": "您"},
    "bot": {"en": "Assistant", "zh": "智能助手"},
    "copy": {"en": "Copy message", "zh": "复制消息"},
    "copied": {"en": "Copied message", "zh": "已复制消息"},
    "retry": {"en": "Retry", "zh": "重试"},
    "undo": {"en": "Undo", "zh": "撤销"},
    "like": {"en": "Like", "zh": "赞"},
    "liked": {"en": "Liked", "zh": "已赞"},
    "dislike": {"en": "Dislike", "zh": "踩"},
    "disliked": {"en": "Disliked", "zh": "已踩"},
    "close": {"en": "Close", "zh": "关闭"},
    "common.complete": {"en": "Done", "zh": "完成"},  # it says the key, which it has no words for
}


def head() -> str:
    """HTML for a page's head."""
    script = Path(__file__).with_name("access.js").read_text("utf-8")
    return f"<script>const LABELS = {json.dumps(LABELS, ensure_ascii=False)};\n{script}</script>"
