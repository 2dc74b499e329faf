"""reviews of data changes

Revision: 0044. After: 0043. Written: 2026-11-30 08:20:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0044'
down_revision = '0043'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('data_changes', schema=None) as batch_op:
        batch_op.add_column(sa.Column('reference', sa.String(length=24), nullable=True))
        batch_op.add_column(sa.Column('licence_id', sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column('reasons', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('remarks', sa.Text(), nullable=True))
        batch_op.create_unique_constraint(batch_op.f('uq_data_changes_reference'), ['reference'])
        batch_op.create_foreign_key(batch_op.f('fk_data_changes_licence_id_documents'), 'documents', ['licence_id'], ['id'])
        batch_op.create_index('ix_data_changes_holder', ['holder_id', 'proposed_at'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('data_changes', schema=None) as batch_op:
        batch_op.drop_index('ix_data_changes_holder')
        batch_op.drop_constraint(batch_op.f('fk_data_changes_licence_id_documents'), type_='foreignkey')
        batch_op.drop_constraint(batch_op.f('uq_data_changes_reference'), type_='unique')
        batch_op.drop_column('remarks')
        batch_op.drop_column('reasons')
        batch_op.drop_column('licence_id')
        batch_op.drop_column('reference')
