"""addresses that refuse mail

Revision: 0045. After: 0044. Written: 2026-11-30 08:50:00.

What the mail server refused for good, until a mail is taken or the contact changes.
"""

import sqlalchemy as sa
from alembic import op

revision = '0045'
down_revision = '0044'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        'refused_addresses',
        sa.Column('address_index', sa.String(length=64), nullable=False),
        sa.Column('refused_at', sa.DateTime(timezone=True), nullable=False),
        sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint('address_index', name=op.f('pk_refused_addresses')),
    )
    op.create_index('ix_refused_addresses_last_at', 'refused_addresses', ['last_at'])


def downgrade() -> None:
    op.drop_table('refused_addresses')
