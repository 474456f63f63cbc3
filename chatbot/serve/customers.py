"""Customers who are signed in at the company's own site: a signed token of the company's becomes a session here.

The token (JWT) says who the customer is, is good for one session, and is spent with it; see chatbot/customers.py.
"""

from fastapi import APIRouter, Request, Response, status
from pydantic import BaseModel, Field

from chatbot.customers import ticket
from chatbot.errors import Refused
from chatbot.serve import service
from chatbot.serve.door import SESSION, Here
from chatbot.serve.problems import Problem
from chatbot.serve.wire import Asked

router = APIRouter(prefix="/customers", tags=["customers"])


class Token(Asked):
    token: str = Field(max_length=8000, description="Signed by the company (JWT): sub, aud, iat, exp, jti.")


class Session(BaseModel):
    session: str = Field(
        description="Shown once. As `Authorization: Bearer`, it opens the customer's conversations."
    )


@router.post("/session", status_code=status.HTTP_201_CREATED)
def open_session(request: Request, response: Response, at: Here, asked: Token) -> Session:
    """Sign a customer in. A token is good once."""
    ours = service.of(request)
    ours.meter.count("sign_ins", at.who)
    if ours.customers_key is None:
        raise Problem(403, "forbidden", "Customers cannot sign in here: there is no key to check tokens with.")
    response.headers["Cache-Control"] = "no-store"
    try:
        shown = ticket(asked.token, ours.customers_key, ours.accounts.clock())
        return Session(session=SESSION + ours.accounts.sign_in(shown, (at.bot.name,)))
    except Refused as refused:
        raise Problem(401, "unauthorized", str(refused), {"WWW-Authenticate": "Bearer"}) from refused
