"""waits in the queue's order

Revision: 0038. After: 0037. Written: 2026-11-30 07:50:00.

The two indexes of waits that nobody was told of hold the empty column and the whole order of the
queue: SQLite took the queue's own index instead, and read past everything that had been told.
"""

import sqlalchemy as sa
from alembic import op

revision = '0038'
down_revision = '0037'
branch_labels = None
depends_on = None

_WAITS = {'ix_applications_unreminded': 'reminded_at', 'ix_applications_unescalated': 'escalated_at'}


def upgrade() -> None:
    with op.batch_alter_table('applications', schema=None) as batch_op:
        for name, told in _WAITS.items():
            empty = sa.text(f'{told} IS NULL')
            batch_op.drop_index(name)
            batch_op.create_index(name, ['state', told, 'changed_at', 'id'], unique=False, postgresql_where=empty, sqlite_where=empty)


def downgrade() -> None:
    with op.batch_alter_table('applications', schema=None) as batch_op:
        for name, told in _WAITS.items():
            empty = sa.text(f'{told} IS NULL')
            batch_op.drop_index(name)
            batch_op.create_index(name, ['state', 'changed_at'], unique=False, postgresql_where=empty, sqlite_where=empty)
