"""challenges for acts

Revision: 0027. After: 0026. Written: 2026-11-30 00:05:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0027'
down_revision = '0026'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('sso_challenge', sa.Column('confirmed', sa.String(length=64), nullable=True))


def downgrade() -> None:
    op.drop_column('sso_challenge', 'confirmed')
