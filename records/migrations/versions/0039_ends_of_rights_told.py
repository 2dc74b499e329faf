"""ends of rights told

Revision: 0039. After: 0038. Written: 2026-11-30 07:58:00.

When an operator and the enterprise were told that a right ends soon. Rights that had ended before
are nobody's news: they lie outside what is looked for.
"""

import sqlalchemy as sa
from alembic import op

revision = '0039'
down_revision = '0038'
branch_labels = None
depends_on = None

_UNTOLD = sa.text('end_told_at IS NULL AND withdrawn_by IS NULL')


def upgrade() -> None:
    with op.batch_alter_table('grants', schema=None) as batch_op:
        batch_op.add_column(sa.Column('end_told_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index('ix_grants_ending', ['valid_until', 'id'], unique=False, postgresql_where=_UNTOLD, sqlite_where=_UNTOLD)


def downgrade() -> None:
    with op.batch_alter_table('grants', schema=None) as batch_op:
        batch_op.drop_index('ix_grants_ending')
        batch_op.drop_column('end_told_at')
