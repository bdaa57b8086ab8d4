"""How Alembic runs a migration: on the connection that `hub.database.migration` hands in, within its transaction."""

from alembic import context

from hub.database.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # Alembic assumes that SQLite cannot roll back DDL; with an explicit BEGIN it can.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
