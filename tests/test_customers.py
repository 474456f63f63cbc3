"""A company's tokens: what opens a session, and each of the ways in which one must not."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from chatbot.access import Ticket
from chatbot.customers import CustomerKey, ticket
from chatbot.errors import Refused, SettingsError

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
AT = int(NOW.timestamp())
SECRET = "a secret that is long enough for each of the algorithms there are"
CLAIMS = {"sub": "c-1", "aud": "chatbot", "iat": AT, "exp": AT + 300, "jti": "j-1"}
RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


def pem(private: Any) -> str:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(private.public_key().public_bytes(serialization.Encoding.PEM, kind).decode())


SHARED, OF_RSA, OF_EC = (CustomerKey.read(text) for text in (SECRET, pem(RSA), pem(EC)))


def signed(**changed: Any) -> str:
    claims = {name: value for name, value in {**CLAIMS, **changed}.items() if value is not None}
    return jwt.encode(claims, SECRET, "HS256")


def by_hand(header: dict[str, Any], key: bytes) -> str:
    """A token that no library would sign."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, CLAIMS)]
    body = b".".join(parts)
    mark = base64.urlsafe_b64encode(hmac.digest(key, body, hashlib.sha256)).rstrip(b"=")
    return (body + b"." + (mark if key else b"")).decode()


@pytest.mark.parametrize(
    ("key", "private", "algorithm"), [(SHARED, SECRET, "HS256"), (OF_RSA, RSA, "RS256"), (OF_EC, EC, "ES256")]
)
def test_a_token_of_each_kind_of_key_says_who_the_customer_is(
    key: CustomerKey, private: Any, algorithm: str
) -> None:
    assert key.algorithm == algorithm
    token = jwt.encode(CLAIMS, private, algorithm)
    assert ticket(token, key, NOW) == Ticket("c-1", "j-1", NOW + timedelta(minutes=5))


@pytest.mark.parametrize("key", [OF_RSA, OF_EC])
def test_a_public_key_is_no_secret(key: CustomerKey) -> None:
    private = RSA if key is OF_RSA else EC
    for text in (pem(private), pem(private).strip()):
        with pytest.raises(Refused, match=rf"is not signed by {key.algorithm}, which"):
            ticket(by_hand({"alg": "HS256", "typ": "JWT"}, text.encode()), key, NOW)


@pytest.mark.parametrize(
    ("key", "algorithm", "private"),
    [
        *((OF_RSA, name, RSA) for name in ("RS384", "RS512", "PS256")),
        *((SHARED, name, SECRET) for name in ("HS384", "HS512")),
        *((SHARED, "RS256", RSA), (OF_RSA, "ES256", EC), (OF_EC, "RS256", RSA)),
    ],
)
def test_no_token_chooses_another_algorithm(key: CustomerKey, algorithm: str, private: Any) -> None:
    with pytest.raises(Refused, match=f"is not signed by {key.algorithm}, which"):
        ticket(jwt.encode(CLAIMS, private, algorithm), key, NOW)


@pytest.mark.parametrize("key", [SHARED, OF_RSA, OF_EC])
@pytest.mark.parametrize("name", ["none", "None", "NONE", ""])
def test_an_unsigned_token_is_refused(key: CustomerKey, name: str) -> None:
    with pytest.raises(Refused):
        ticket(by_hand({"alg": name, "typ": "JWT"}, b""), key, NOW)


def test_a_key_in_the_header_is_not_looked_at() -> None:
    octets = base64.urlsafe_b64encode(b"mine" * 8).decode().rstrip("=")
    forged = by_hand({"alg": "HS256", "jwk": {"kty": "oct", "k": octets}, "kid": "../x"}, b"mine" * 8)
    with pytest.raises(Refused, match="signature is not of the company's key"):
        ticket(forged, SHARED, NOW)
    with pytest.raises(Refused, match="no signed JWT"):
        ticket(by_hand({"alg": "HS256", "crit": ["exp"]}, SECRET.encode()), SHARED, NOW)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        *(({name: None}, f"The token has no {name}.") for name in ("sub", "iat", "exp", "jti")),
        ({"aud": None}, "The token is for others: its aud is not 'chatbot'|The token has no aud"),
        ({"aud": "shop"}, "is for others"),
        ({"aud": ["shop", "Chatbot"]}, "is for others"),
        ({"aud": 7}, "is for others"),
        ({"exp": AT - 30}, "has expired"),
        ({"iat": AT + 31}, "is of the future"),
        ({"nbf": AT + 31}, "is of the future"),
        ({"iat": AT - 1, "exp": AT + 86_400}, "good for longer than a day"),
        ({"exp": 253_402_300_799}, "good for longer than a day"),  # the last second that there is
        ({"iat": AT + 20, "exp": AT + 10}, "or for no time"),
        ({"sub": "  "}, "sub is no text"),
        ({"sub": 7}, "sub is no text"),
        ({"sub": "x" * 256}, "sub is no text"),
        ({"jti": ""}, "jti is no text"),
        ({"jti": ["j"]}, "jti is no text"),
        ({"exp": True}, "exp is no number"),
        ({"exp": "soon"}, "exp is no number"),
        ({"iat": float("nan")}, "iat is no number"),
        ({"exp": 1e300}, "exp is no time"),
        ({"nbf": "soon"}, "nbf is no number"),
    ],
)
def test_a_claim_that_is_missing_or_wrong_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message):
        ticket(signed(**changed), SHARED, NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": AT - 29},
        {"iat": AT + 30},
        {"iat": AT, "exp": AT + 86_400},
        {"aud": ["shop", "chatbot"]},
        {"iat": AT - 0.5},
        {"nbf": AT},
    ],
)
def test_what_is_just_right_is_taken(changed: dict[str, Any]) -> None:
    token = signed(**{"iat": AT - 3600, **changed})
    assert ticket(token, SHARED, NOW).customer == "c-1"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é" * 20, "..", signed()[:-2], signed() + ".x", "{}"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(Refused):
        ticket(token, SHARED, NOW)


def test_a_refusal_quotes_nothing_of_the_token() -> None:
    token = signed(sub="x" * 300, aud="secret audience")
    with pytest.raises(Refused) as caught:
        ticket(token, SHARED, NOW)
    assert "secret audience" not in str(caught.value) and token[:20] not in str(caught.value)
    with pytest.raises(Refused, match="has 8193 characters"):
        ticket("x" * 8193, SHARED, NOW)


def private_pem() -> str:
    kind = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return RSA.private_bytes(serialization.Encoding.PEM, *kind).decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x" * 31, "has 31 bytes and needs 32"),
        ("", "has 0 bytes"),
        (private_pem(), "is a private one"),
        ("-----BEGIN PUBLIC KEY-----\nx\n-----END PUBLIC KEY-----", "is no public key in PEM"),
        (pem(rsa.generate_private_key(65537, 1024)), "is neither RSA of 2048 bits"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "nor ECDSA on P-256"),
        (pem(ed25519.Ed25519PrivateKey.generate()), "is neither"),
    ],
)
def test_a_key_that_is_too_weak_or_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        CustomerKey.read(text)
    assert not text or text not in str(caught.value)


def test_a_key_is_not_shown() -> None:
    assert repr(SHARED) == "CustomerKey(HS256)"
