"""A company's signed token (JWT) that says which customer is on its site -> a ticket; PyJWT only here.

In: the token, and the company's key: a secret that both know (HS256), or its public key (RS256, ES256). Out: a
`Ticket`, which a session can be opened with, once. The key alone says which algorithm is meant, so no token can
choose another one. The token needs: `sub`, the customer in the company's own terms; `aud`, "chatbot"; `iat` and
`exp`, at most a day apart; and `jti`, a number of its own.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.types import Options

from chatbot.access import Ticket
from chatbot.errors import Refused, SettingsError

AUDIENCE = "chatbot"
LONGEST = timedelta(hours=24)  # from iat to exp
LATE = timedelta(seconds=30)  # that the company's clock and ours may differ by
LEAST_SECRET, LEAST_RSA = 32, 2048  # bytes, bits
MOST = 8192  # characters of a token
MOST_TEXT = 255  # characters of sub and jti
CHECKS: Options = {
    "require": ["sub", "aud", "iat", "exp", "jti"],
    **{"verify_exp": False, "verify_iat": False, "verify_nbf": False},  # here, by the clock that is given
    **{"verify_sub": False, "verify_jti": False},  # here too
}


@dataclass(frozen=True, slots=True)
class CustomerKey:
    """What the company's tokens are checked with; made by `read`."""

    key: bytes | RSAPublicKey | EllipticCurvePublicKey
    algorithm: str

    def __repr__(self) -> str:  # no secret in a log
        return f"CustomerKey({self.algorithm})"

    @classmethod
    def read(cls, text: str) -> Self:
        """A public key in PEM, or a secret of 32 bytes at least. Raises SettingsError for any other."""
        text = text.strip()
        if "-----BEGIN" not in text:
            if len(secret := text.encode()) < LEAST_SECRET:
                raise SettingsError(
                    f"The secret for customers' tokens has {len(secret)} bytes and needs {LEAST_SECRET}: "
                    "`openssl rand -base64 48` makes a good one."
                )
            return cls(secret, "HS256")
        if "PRIVATE KEY" in text:
            raise SettingsError("The key for customers' tokens is a private one: give the public key of the pair.")
        try:
            public = load_pem_public_key(text.encode())
        except (ValueError, UnsupportedAlgorithm) as cause:
            raise SettingsError(
                "The key for customers' tokens is no public key in PEM: it begins with -----BEGIN PUBLIC KEY-----."
            ) from cause
        if isinstance(public, RSAPublicKey) and public.key_size >= LEAST_RSA:
            return cls(public, "RS256")
        if isinstance(public, EllipticCurvePublicKey) and isinstance(public.curve, SECP256R1):
            return cls(public, "ES256")
        raise SettingsError(
            f"The key for customers' tokens is neither RSA of {LEAST_RSA} bits or more nor ECDSA on P-256: "
            "make one of these."
        )


def ticket(token: str, key: CustomerKey, now: datetime) -> Ticket:
    """What a token says, where it holds at `now` (with a time zone). Raises Refused."""
    if len(token) > MOST:
        raise Refused(f"The token has {len(token)} characters, and {MOST} at most are read.")
    try:
        claims = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],
            audience=AUDIENCE,
            options=CHECKS,
        )
    except jwt.InvalidSignatureError as cause:
        raise Refused("The token's signature is not of the company's key.") from cause
    except jwt.InvalidAlgorithmError as cause:
        raise Refused(f"The token is not signed by {key.algorithm}, which the company's key is for.") from cause
    except jwt.InvalidAudienceError as cause:
        raise Refused(f"The token is for others: its aud is not {AUDIENCE!r}.") from cause
    except jwt.MissingRequiredClaimError as cause:
        raise Refused(f"The token has no {cause.claim}.") from cause
    except (jwt.PyJWTError, ValueError) as cause:
        raise Refused("The token is no signed JWT.") from cause
    issued, expires = _time(claims, "iat"), _time(claims, "exp")
    if issued > now + LATE or ("nbf" in claims and _time(claims, "nbf") > now + LATE):
        raise Refused("The token is of the future: check the clock of whoever signed it.")
    if expires <= now - LATE:
        raise Refused("The token has expired. Ask for a new one.")
    if not timedelta(0) < expires - issued <= LONGEST:
        raise Refused("The token is good for longer than a day or for no time: shorten exp - iat to minutes.")
    return Ticket(_text(claims, "sub"), _text(claims, "jti"), expires)


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Refused(f"The token's {name} is no number of seconds.")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, ValueError, OSError) as cause:
        raise Refused(f"The token's {name} is no time.") from cause


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims[name]
    if not isinstance(value, str) or not value.strip() or len(value) > MOST_TEXT:
        raise Refused(f"The token's {name} is no text of 1 to {MOST_TEXT} characters.")
    return value
