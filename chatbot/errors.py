"""Every error that this package raises on purpose.

    ChatbotError
    ├── UserError                 the caller can mend it; the command line prints one line, exit code 1
    │   ├── SettingsError         an unknown key, a value out of range, a profile that does not exist
    │   ├── CorpusError           a file that cannot be read, or a row that cannot be used
    │   ├── TemplateError         an answer template that does not render: bad syntax, a slot with no value
    │   ├── ModelNotFound         a model name that is no folder, in no installed package and not on the hub
    │   ├── Taken                 a conversation that another agent has
    │   ├── Refused               a customer's token that opens no session
    │   └── BotError              a built bot that is missing, damaged, or made by other models than configured
    │       └── Changed           a built bot that another process has changed meanwhile
    └── Unavailable               a store or file system that failed under us; the same call may work later
        ├── Unrecorded            what was asked for is done, but not who asked for it
        └── Busy                  more is asked than can be answered; the call works after some `seconds`

A message says what happened, the value that was found, and what to do about it. An error of a library is
translated where the library is called (`raise … from cause`), so nothing above an adapter knows its name.

A log gets the `trace` of an error and not its message, which may quote what a customer typed; only that of
Unavailable, which speaks of a store, is told.
"""

import traceback


class ChatbotError(Exception):
    """Root of the tree."""


class UserError(ChatbotError):
    """Something that the caller can mend; its message says how."""


class SettingsError(UserError):
    """A settings file, profile or environment variable that cannot be used."""


class CorpusError(UserError):
    """A file of pairs, dialogues or matches that cannot be read or holds an unusable row."""


class TemplateError(UserError):
    """An answer template that does not render."""


class ModelNotFound(UserError):
    """A model name that resolves to nothing on this machine."""


class BotError(UserError):
    """A built bot that cannot be loaded, or a folder that cannot become one."""


class Changed(BotError):
    """A built bot that another process has changed meanwhile, so that nothing was written to it."""


class Taken(UserError):
    """A conversation that another agent has; its message names them."""


class Refused(UserError):
    """A customer's token that opens no session; its message says why, without the token."""


class Unavailable(ChatbotError):
    """A database or file system that failed under us."""


class Unrecorded(Unavailable):
    """Something that was done, and whose record failed: not to be done again; its message says what was done."""


class Busy(Unavailable):
    """More is asked at once, or by one caller, than is allowed."""

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


def trace(error: BaseException) -> str:
    """Where an error came from and of which kind it and its causes are, for a log."""
    cause = error.__cause__ if error.__cause__ is not None else error.__context__
    before = "" if cause is None else f"{trace(cause)}\n"
    told = f": {error}" if isinstance(error, Unavailable) else ""
    places = "".join(traceback.format_tb(error.__traceback__))
    return f"{before}{places}{type(error).__name__}{told}"
