"""mass actions in turns

Revision: 0024. After: 0023. Written: 2026-11-29 21:10:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0024'
down_revision = '0023'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        'mass_actions', sa.Column('followed', sa.Integer(), server_default='0', nullable=False)
    )
    # Confirmed, but what it is over was not written down: to be proposed anew.
    op.execute(
        "UPDATE mass_actions SET state = 'proposed', confirmed_by = NULL"
        " WHERE state = 'running' AND job IS NULL"
    )


def downgrade() -> None:
    op.drop_column('mass_actions', 'followed')
