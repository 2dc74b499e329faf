"""re-issue under a new authority

Revision: 0016. After: 0015. Written: 2026-11-29 18:46:10.978432.
"""

import sqlalchemy as sa
from alembic import op

revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'ca_reissues',
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('old_authority', sa.String(length=40), nullable=False),
        sa.Column('new_authority', sa.String(length=40), nullable=False),
        sa.Column('actor', sa.String(length=200), nullable=False),
        sa.Column('total', sa.Integer(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_ca_reissues')),
    )
    op.create_table(
        'ca_reissue_items',
        sa.Column('job', sa.String(length=32), nullable=False),
        sa.Column('position', sa.Integer(), autoincrement=False, nullable=False),
        sa.Column('serial', sa.String(length=40), nullable=False),
        sa.Column('outcome', sa.String(length=16), nullable=True),
        sa.Column('successor', sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint('job', 'position', name=op.f('pk_ca_reissue_items')),
    )
    op.create_index('ix_ca_reissue_items_open', 'ca_reissue_items', ['job', 'outcome'])


def downgrade() -> None:
    op.drop_table('ca_reissue_items')
    op.drop_table('ca_reissues')
