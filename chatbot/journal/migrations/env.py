"""What Alembic runs: the steps that are missing, in the transaction of the connection that migrate.py gives."""

from alembic import context

from chatbot.journal.schema import SCHEMA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=SCHEMA, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
