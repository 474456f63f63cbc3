"""What happened, kept in a database: conversations, exchanges, feedback, hand-overs; and who may call. The only
modules with SQL.

    schema.py      the tables
    migrations/    how the tables came to be so, step by step
    migrate.py     the steps that a database lacks
    database.py    opened, brought up to date, and one transaction at a time
    records.py     SqlJournal: what a customer and the bot said
    cases.py       SqlDesk: what people said and did
    edits.py       SqlEdits: who changed what the bot answers
    audit.py       SqlAudit: what else people and programs did, with accounts, keys and customers' data
    traffic.py     between: what was asked in a span of time
    reviews.py     SqlReviews: what got no answer or a wrong one, and what agents made of it
    replays.py     SqlReplays: writes that were answered, for when they are sent again
    accounts.py    SqlAccounts: accounts of the staff, with the keys and sessions below
    passwords.py   hashed and checked
    attempts.py    wrong passwords, and when they lock
    keys.py        of programs
    sessions.py    of whoever signed in, staff and customers
    retention.py   what is kept of customers: counted, handed out, deleted

It exists so that nothing a customer said is lost, and so that the bot can learn from it.
"""

from chatbot.journal.accounts import SqlAccounts
from chatbot.journal.audit import Deed, Entry, SqlAudit
from chatbot.journal.cases import SqlDesk
from chatbot.journal.edits import Edit, Kind, SqlEdits
from chatbot.journal.records import Guard, Opened, SqlJournal, cleaned
from chatbot.journal.replays import Replay, SqlReplays
from chatbot.journal.reviews import Blamed, SqlReviews, Unanswered, Verdict
from chatbot.journal.traffic import between

__all__ = [
    "Blamed",
    "Deed",
    "Edit",
    "Entry",
    "Guard",
    "Kind",
    "Opened",
    "Replay",
    "SqlAccounts",
    "SqlAudit",
    "SqlDesk",
    "SqlEdits",
    "SqlJournal",
    "SqlReplays",
    "SqlReviews",
    "Unanswered",
    "Verdict",
    "between",
    "cleaned",
]
