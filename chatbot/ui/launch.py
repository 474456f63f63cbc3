"""How a page is served: its looks, what it does without, and the address that it listens on.

In: a page of Gradio blocks. Out: the page at an address, and nothing loaded from outside the machine.
"""

from pathlib import Path
from typing import Any

from chatbot.errors import UserError
from chatbot.ui.stubless import gr

FONTS = ("system-ui", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif")


def appearance() -> dict[str, Any]:
    """How the page is served, for `Blocks.launch` and `gradio.mount_gradio_app` alike: the theme and style sheet
    (system fonts, nothing from outside), no footer, no uploads, no server-side rendering."""
    theme = gr.themes.Base(
        primary_hue="teal", neutral_hue="slate", radius_size="lg", font=list(FONTS), font_mono=["monospace"]
    ).set(
        button_primary_background_fill="*primary_700",  # white on it has a contrast of 5.5
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
    )
    return {
        "theme": theme,
        "css_paths": Path(__file__).with_name("chat.css"),
        "footer_links": [],
        "run_history": False,
        "show_error": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "max_file_size": "1kb",
    }


def launch(page: gr.Blocks, host: str = "127.0.0.1", port: int = 7860, *, wait: bool = True) -> str:
    """Serve the page and print its address; return when interrupted, or at once where not `wait`. Raises
    UserError where the port is taken."""
    try:
        _, address, _ = page.launch(
            server_name=host, server_port=port, share=False, quiet=True, prevent_thread_lock=True, **appearance()
        )
    except OSError as cause:
        raise UserError(f"Cannot serve on {host}:{port}: {cause}. Choose another port with --port.") from cause
    print(f"The chat is at {address}", flush=True)  # noqa: T201
    if wait:
        page.block_thread()
    return str(address)
