"""encryption keys

Revision: 0013. After: 0012. Written: 2026-11-29 18:13:57.966239.
"""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('kc_keys',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('signing_serial', sa.String(length=40), nullable=False),
    sa.Column('card', sa.String(length=24), nullable=False),
    sa.Column('holder', sa.String(length=80), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('fingerprint', sa.String(length=64), nullable=False),
    sa.Column('wrapped', sa.LargeBinary(), nullable=False),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('serial', sa.String(length=40), nullable=True),
    sa.Column('certificate', sa.LargeBinary(), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_kc_keys')),
    sa.UniqueConstraint('fingerprint', name=op.f('uq_kc_keys_fingerprint')),
    sa.UniqueConstraint('serial', name=op.f('uq_kc_keys_serial')),
    sa.UniqueConstraint('signing_serial', name=op.f('uq_kc_keys_signing_serial'))
    )
    with op.batch_alter_table('kc_keys', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_kc_keys_holder'), ['holder'], unique=False)

    op.create_table('kc_recoveries',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('ground', sa.String(length=8), nullable=False),
    sa.Column('state', sa.String(length=12), nullable=False),
    sa.Column('key_id', sa.String(length=32), nullable=False),
    sa.Column('requested_by', sa.String(length=80), nullable=False),
    sa.Column('requested_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('reason', sa.String(length=400), nullable=False),
    sa.Column('transport_key', sa.LargeBinary(), nullable=False),
    sa.Column('signing_certificate', sa.LargeBinary(), nullable=True),
    sa.Column('order_number', sa.String(length=80), nullable=True),
    sa.Column('ordered_by', sa.String(length=120), nullable=True),
    sa.Column('evidence', sa.LargeBinary(), nullable=True),
    sa.Column('evidence_sha256', sa.String(length=64), nullable=True),
    sa.Column('decided_by', sa.String(length=80), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('decision_reason', sa.Text(), nullable=True),
    sa.Column('deliveries', sa.Integer(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['key_id'], ['kc_keys.id'], name=op.f('fk_kc_recoveries_key_id_kc_keys')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_kc_recoveries'))
    )
    with op.batch_alter_table('kc_recoveries', schema=None) as batch_op:
        batch_op.create_index('ix_kc_recoveries_state', ['state', 'requested_at'], unique=False)

    with op.batch_alter_table('ca_certificates', schema=None) as batch_op:
        batch_op.add_column(sa.Column('companion_of', sa.String(length=40), nullable=True))
        batch_op.create_index('ix_ca_certificates_companion', ['companion_of'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('ca_certificates', schema=None) as batch_op:
        batch_op.drop_index('ix_ca_certificates_companion')
        batch_op.drop_column('companion_of')

    with op.batch_alter_table('kc_recoveries', schema=None) as batch_op:
        batch_op.drop_index('ix_kc_recoveries_state')

    op.drop_table('kc_recoveries')
    with op.batch_alter_table('kc_keys', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_kc_keys_holder'))

    op.drop_table('kc_keys')
