"""Who asks for a one-time code while another is young shares it.

Revision: 0032. After: 0031. Written: 2026-11-30 03:10:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0032'
down_revision = '0031'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute('DELETE FROM one_time_codes')  # none lives longer than minutes
    with op.batch_alter_table('one_time_codes', schema=None) as batch_op:
        batch_op.add_column(sa.Column('channel', sa.String(length=8), nullable=False))
        batch_op.add_column(sa.Column('begun_at', sa.DateTime(timezone=True), nullable=False))
        batch_op.add_column(sa.Column('sent', sa.Boolean(), nullable=False))


def downgrade() -> None:
    op.execute('DELETE FROM one_time_codes')
    with op.batch_alter_table('one_time_codes', schema=None) as batch_op:
        batch_op.drop_column('sent')
        batch_op.drop_column('begun_at')
        batch_op.drop_column('channel')
