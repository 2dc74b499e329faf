"""acts at the console

Revision: 0028. After: 0027. Written: 2026-11-29 23:59:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0028'
down_revision = '0027'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('console_acts',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('what', sa.String(length=40), nullable=False),
    sa.Column('permission', sa.String(length=64), nullable=False),
    sa.Column('subject', sa.String(length=300), nullable=False),
    sa.Column('kind', sa.String(length=64), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('statement', sa.Text(), nullable=False),
    sa.Column('account', sa.String(length=64), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('closes_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('done_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('stands_until', sa.DateTime(timezone=True), nullable=True),
    sa.Column('exception', sa.String(length=16), nullable=True),
    sa.Column('reason', sa.String(length=200), nullable=True),
    sa.Column('acknowledged_by', sa.String(length=32), nullable=True),
    sa.Column('acknowledged_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_console_acts'))
    )
    with op.batch_alter_table('console_acts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_console_acts_digest'), ['digest'], unique=False)
        batch_op.create_index('ix_console_acts_exceptions', ['done_at'], unique=False, postgresql_where=sa.text('exception IS NOT NULL AND acknowledged_at IS NULL'), sqlite_where=sa.text('exception IS NOT NULL AND acknowledged_at IS NULL'))
        batch_op.create_index(batch_op.f('ix_console_acts_kind'), ['kind'], unique=False)

    op.create_table('console_signatures',
    sa.Column('act', sa.String(length=32), nullable=False),
    sa.Column('officer', sa.String(length=32), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('card', sa.String(length=24), nullable=False),
    sa.Column('certificate', sa.String(length=64), nullable=False),
    sa.Column('signature', sa.LargeBinary(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['act'], ['console_acts.id'], name=op.f('fk_console_signatures_act_console_acts')),
    sa.PrimaryKeyConstraint('act', 'officer', name=op.f('pk_console_signatures'))
    )


def downgrade() -> None:
    op.drop_table('console_signatures')
    with op.batch_alter_table('console_acts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_console_acts_kind'))
        batch_op.drop_index('ix_console_acts_exceptions', postgresql_where=sa.text('exception IS NOT NULL AND acknowledged_at IS NULL'), sqlite_where=sa.text('exception IS NOT NULL AND acknowledged_at IS NULL'))
        batch_op.drop_index(batch_op.f('ix_console_acts_digest'))

    op.drop_table('console_acts')
