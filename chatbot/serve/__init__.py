"""The service: a REST API under /v1, the login of the staff, and all that stands between them and the network.

start.py           bots, accounts and limits -> one application, at an address
app.py             the API: its routes and its document
service.py         what the routes work on: bots, accounts, limits
bots.py            one bot with all that is its own, for pages and API
wire.py            the shapes of requests and responses
door.py            who is calling, and whether they may
problems.py        every error as problem details (RFC 9457)
conversations.py   customers: begin, say, stream, judge, hand over        (with customers.py: sign in)
desk.py            agents: hand-overs
search.py          candidates with scores, batches of questions, evaluation
pairs.py           what the bot knows: list, change, import, export       (with cursor.py: page by page)
versions.py        what is live: versions, publish, roll back
completions.py     the same bot to a client of OpenAI's
widget.py          the chat on any web page
health.py          is it alive, is it ready, which version                (with metrics.py)
login.py           where the staff sign in and out
gate.py            the staff's pages, for those alone who may open them

                   the layers around all that, from the outside in
logs.py            each request gets an id, and a line in the log
hosts.py           answers to its own names alone
headers.py         what a browser is told to refuse
bounds.py          no request is too large or too slow                    (with limits.py, admission.py)
csrf.py            what another site has a browser send is refused
replays.py         a write that is sent twice is done once
"""
