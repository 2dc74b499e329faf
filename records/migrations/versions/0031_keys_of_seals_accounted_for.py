"""keys of seals accounted for

Revision: 0031. After: 0030. Written: 2026-11-29 23:59:30.
"""

import sqlalchemy as sa
from alembic import op

revision = '0031'
down_revision = '0030'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('seal_keys',
    sa.Column('label', sa.String(length=64), nullable=False),
    sa.Column('seal', sa.String(length=32), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('outcome', sa.String(length=16), nullable=True),
    sa.ForeignKeyConstraint(['seal'], ['seals.id'], name=op.f('fk_seal_keys_seal_seals')),
    sa.PrimaryKeyConstraint('label', name=op.f('pk_seal_keys'))
    )
    with op.batch_alter_table('seal_keys', schema=None) as batch_op:
        batch_op.create_index('ix_seal_keys_open', ['label'], unique=False, postgresql_where=sa.text('settled_at IS NULL'), sqlite_where=sa.text('settled_at IS NULL'))

    with op.batch_alter_table('seals', schema=None) as batch_op:
        batch_op.add_column(sa.Column('key_label', sa.String(length=64), server_default='', nullable=False))

    op.execute("UPDATE seals SET key_label = 'seal-' || id WHERE key_fingerprint IS NOT NULL")


def downgrade() -> None:
    with op.batch_alter_table('seals', schema=None) as batch_op:
        batch_op.drop_column('key_label')

    with op.batch_alter_table('seal_keys', schema=None) as batch_op:
        batch_op.drop_index('ix_seal_keys_open', postgresql_where=sa.text('settled_at IS NULL'), sqlite_where=sa.text('settled_at IS NULL'))

    op.drop_table('seal_keys')
