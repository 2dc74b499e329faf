"""documents sent ahead

Revision: 0019. After: 0018. Written: 2026-11-29 21:00:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0019'
down_revision = '0018'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'uploaded_documents',
        sa.Column('id', sa.String(length=32), nullable=False),
        sa.Column('card', sa.String(length=64), nullable=False),
        sa.Column('sha256', sa.String(length=64), nullable=False),
        sa.Column('size', sa.Integer(), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_uploaded_documents')),
    )
    for column in ('card', 'sha256', 'expires_at'):
        op.create_index(
            op.f(f'ix_uploaded_documents_{column}'), 'uploaded_documents', [column], unique=False
        )
    op.add_column(
        'prepared_signatures',
        sa.Column('kept', sa.Text(), nullable=False, server_default='[]'),
    )


def downgrade() -> None:
    op.drop_column('prepared_signatures', 'kept')
    op.drop_table('uploaded_documents')
