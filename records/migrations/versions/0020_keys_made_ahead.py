"""encryption keys made ahead, and escrow keys one after the other

Revision: 0020. After: 0019. Written: 2026-11-29 21:16:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0020'
down_revision = '0019'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('kc_pool',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('suite', sa.String(length=32), nullable=False),
    sa.Column('fingerprint', sa.String(length=64), nullable=False),
    sa.Column('wrapped', sa.LargeBinary(), nullable=False),
    sa.Column('escrow_label', sa.String(length=64), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_kc_pool')),
    sa.UniqueConstraint('fingerprint', name=op.f('uq_kc_pool_fingerprint'))
    )
    op.create_index('ix_kc_pool_suite', 'kc_pool', ['suite', 'made_at'], unique=False)
    op.create_table('kc_escrow_keys',
    sa.Column('label', sa.String(length=64), nullable=False),
    sa.Column('begun_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('retired_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('label', name=op.f('pk_kc_escrow_keys'))
    )
    op.create_table('kc_rewraps',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('escrow_key', sa.String(length=64), nullable=False),
    sa.Column('actor', sa.String(length=200), nullable=False),
    sa.Column('begun_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_kc_rewraps'))
    )
    with op.batch_alter_table('kc_keys', schema=None) as batch_op:
        batch_op.add_column(
            sa.Column('escrow_label', sa.String(length=64), server_default='escrow', nullable=False)
        )
        batch_op.create_index('ix_kc_keys_escrow', ['escrow_label'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('kc_keys', schema=None) as batch_op:
        batch_op.drop_index('ix_kc_keys_escrow')
        batch_op.drop_column('escrow_label')
    op.drop_table('kc_rewraps')
    op.drop_table('kc_escrow_keys')
    op.drop_index('ix_kc_pool_suite', table_name='kc_pool')
    op.drop_table('kc_pool')
