"""How a journal's tables came to be as schema.py has them: one module a step, run in order by Alembic."""
