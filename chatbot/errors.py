"""Every error that this package raises on purpose.

    ChatbotError
    ├── UserError                 the caller can mend it; the command line prints one line, exit code 1
    │   ├── SettingsError         an unknown key, a value out of range, a profile that does not exist
    │   ├── CorpusError           a file that cannot be read, or a row that cannot be used
    │   ├── TemplateError         an answer template that does not render: bad syntax, a slot with no value
    │   ├── ModelNotFound         a model name that is no folder, in no installed package and not on the hub
    │   └── BotError              a built bot that is missing, damaged, or made by other models than configured
    └── Unavailable               a store or file system that failed under us; the same call may work later

A message says what happened, the value that was found, and what to do about it. An error of a library is
translated where the library is called (`raise … from cause`), so nothing above an adapter knows its name.
"""


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


class Unavailable(ChatbotError):
    """A database or file system that failed under us."""
