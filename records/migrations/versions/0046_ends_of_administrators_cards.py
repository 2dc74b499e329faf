"""the end of an administrator's card, confirmed by a second officer

Revision: 0046. After: 0045. Written: 2026-11-30 11:20:00.

A proposal of an officer's change may be that one card ends; the officer stays.
"""

import sqlalchemy as sa
from alembic import op

revision = '0046'
down_revision = '0045'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('officer_changes', sa.Column('ends_card', sa.String(length=32)))
    op.add_column('officer_changes', sa.Column('end_reason', sa.String(length=40)))


def downgrade() -> None:
    with op.batch_alter_table('officer_changes') as batch:
        batch.drop_column('end_reason')
        batch.drop_column('ends_card')
