"""How a served site ends."""

import subprocess
import sys
from pathlib import Path

SERVED = """
import signal, threading
from starlette.responses import PlainTextResponse
from chatbot.ui.launch import listen

site = listen(PlainTextResponse("here"), ["/"], "127.0.0.1", 0)

def end(_signal, _frame):
    site.server.should_exit = True

signal.signal(signal.SIGTERM, end)
threading.Timer(1, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM)).start()
site.wait()
print("ended")
"""


def test_a_signal_that_comes_to_another_thread_ends_it() -> None:
    """The system chooses which thread gets it; the main one, which Python has look at it, only waits."""
    done = subprocess.run(
        [sys.executable, "-c", SERVED],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "ended"
