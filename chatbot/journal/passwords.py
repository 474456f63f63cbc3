"""Passwords: hashed and checked by Argon2id, in about 50 ms and 64 MB each, a few at a time.

In: a password, and for a check a hash or nothing. Out: a hash, or whether they fit. A check against nothing takes
as long as any other, so that nobody learns which accounts there are.
"""

import threading
import unicodedata
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from chatbot.errors import UserError

LEAST, MOST = 10, 1000  # characters
AT_ONCE = 4  # checks, of 64 MB each


class Passwords:
    """Any thread may use it. Without a `hasher`, by what argon2-cffi recommends."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self.hasher = PasswordHasher() if hasher is None else hasher
        self.turns = threading.BoundedSemaphore(AT_ONCE)

    def hashed(self, password: str) -> str:
        """Raises UserError where it is too short or too long."""
        if not LEAST <= len(password) <= MOST:
            raise UserError(
                f"A password has {LEAST} to {MOST} characters, and this one has {len(password)}. "
                "A few words in a row are a good one."
            )
        with self.turns:
            return self.hasher.hash(_typed(password))

    def fits(self, password: str, kept: str | None) -> bool:
        with self.turns:
            try:
                right = self.hasher.verify(self.of_nobody if kept is None else kept, _typed(password[:MOST]))
            except VerifyMismatchError:
                return False
        return right and kept is not None

    @cached_property
    def of_nobody(self) -> str:
        return self.hasher.hash("nobody's password")


def _typed(password: str) -> bytes:
    """The same, however a keyboard composes its characters."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
