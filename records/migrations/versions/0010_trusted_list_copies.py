"""copies of trusted lists

Revision: 0010. After: 0009. Written: 2026-11-29 18:20:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'trusted_list_copies',
        sa.Column('source', sa.String(length=64), nullable=False),
        sa.Column('url', sa.Text(), nullable=False),
        sa.Column('content', sa.LargeBinary(), nullable=False),
        sa.Column('fetched_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('source', name=op.f('pk_trusted_list_copies')),
    )


def downgrade() -> None:
    op.drop_table('trusted_list_copies')
