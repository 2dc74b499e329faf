"""who set a contact

Revision: 0017. After: 0016. Written: 2026-11-29 19:38:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0017'
down_revision = '0016'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('contacts', sa.Column('phone_by', sa.String(length=200), nullable=True))
    op.add_column('contacts', sa.Column('email_by', sa.String(length=200), nullable=True))


def downgrade() -> None:
    op.drop_column('contacts', 'email_by')
    op.drop_column('contacts', 'phone_by')
