"""the mass action that froze a card

Revision: 0021. After: 0020. Written: 2026-11-29 21:20:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0021'
down_revision = '0020'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('cards', sa.Column('held_in', sa.String(length=32), nullable=True))
    condition = sa.text('held_in IS NOT NULL')
    op.create_index(
        'ix_cards_held_in', 'cards', ['held_in'],
        postgresql_where=condition, sqlite_where=condition,
    )


def downgrade() -> None:
    op.drop_index('ix_cards_held_in', table_name='cards')
    op.drop_column('cards', 'held_in')
