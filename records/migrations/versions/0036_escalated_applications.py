"""escalated applications

Revision: 0036. After: 0035. Written: 2026-11-30 04:00:00.

When those in charge of the counter were told that nobody moved an application.
"""

import sqlalchemy as sa
from alembic import op

revision = '0036'
down_revision = '0035'
branch_labels = None
depends_on = None

_UNESCALATED = 'escalated_at IS NULL'


def upgrade() -> None:
    with op.batch_alter_table('applications', schema=None) as batch_op:
        batch_op.add_column(sa.Column('escalated_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index('ix_applications_unescalated', ['state', 'changed_at'], unique=False, postgresql_where=sa.text(_UNESCALATED), sqlite_where=sa.text(_UNESCALATED))


def downgrade() -> None:
    with op.batch_alter_table('applications', schema=None) as batch_op:
        batch_op.drop_index('ix_applications_unescalated')
        batch_op.drop_column('escalated_at')
