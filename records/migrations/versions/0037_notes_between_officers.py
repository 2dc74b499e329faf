"""notes between officers

Revision: 0037. After: 0036. Written: 2026-11-30 04:12:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0037'
down_revision = '0036'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('application_notes',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('application_id', sa.String(length=32), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('officer', sa.String(length=32), nullable=False),
    sa.Column('sealed', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['application_id'], ['applications.id'], name=op.f('fk_application_notes_application_id_applications')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_application_notes'))
    )
    with op.batch_alter_table('application_notes', schema=None) as batch_op:
        batch_op.create_index('ix_application_notes_application', ['application_id', 'at'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('application_notes', schema=None) as batch_op:
        batch_op.drop_index('ix_application_notes_application')

    op.drop_table('application_notes')
