"""the journal's Merkle tree

Revision: 0008. After: 0007. Written: 2026-11-29 18:12:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('journal_checkpoint', sa.Column('root', sa.LargeBinary(length=32), nullable=True))
    op.create_table('journal_tree',
    sa.Column('level', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('index', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('hash', sa.LargeBinary(length=32), nullable=False),
    sa.PrimaryKeyConstraint('level', 'index', name=op.f('pk_journal_tree'))
    )


def downgrade() -> None:
    op.drop_table('journal_tree')
    op.drop_column('journal_checkpoint', 'root')
