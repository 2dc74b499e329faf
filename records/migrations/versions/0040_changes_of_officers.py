"""changes of officers

Revision: 0040. After: 0039. Written: 2026-11-30 07:50:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0040'
down_revision = '0039'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('officer_changes',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('officer_id', sa.String(length=32), nullable=False),
    sa.Column('live_officer', sa.String(length=32), nullable=True),
    sa.Column('state', sa.String(length=16), nullable=False),
    sa.Column('retires', sa.Boolean(), nullable=False),
    sa.Column('roles', sa.String(length=80), nullable=False),
    sa.Column('branch_id', sa.String(length=32), nullable=True),
    sa.Column('roles_before', sa.String(length=80), nullable=False),
    sa.Column('branch_before', sa.String(length=32), nullable=True),
    sa.Column('why', sa.String(length=200), nullable=False),
    sa.Column('proposed_by', sa.String(length=32), nullable=False),
    sa.Column('proposed_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('decided_by', sa.String(length=32), nullable=True),
    sa.Column('decided_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['branch_id'], ['branches.id'], name=op.f('fk_officer_changes_branch_id_branches')),
    sa.ForeignKeyConstraint(['officer_id'], ['officers.id'], name=op.f('fk_officer_changes_officer_id_officers')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_officer_changes')),
    sa.UniqueConstraint('live_officer', name=op.f('uq_officer_changes_live_officer'))
    )
    with op.batch_alter_table('officer_changes', schema=None) as batch_op:
        batch_op.create_index('ix_officer_changes_state', ['state', 'proposed_at', 'id'], unique=False)

    with op.batch_alter_table('officers', schema=None) as batch_op:
        batch_op.add_column(sa.Column('retired_at', sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('officers', schema=None) as batch_op:
        batch_op.drop_column('retired_at')

    with op.batch_alter_table('officer_changes', schema=None) as batch_op:
        batch_op.drop_index('ix_officer_changes_state')

    op.drop_table('officer_changes')
