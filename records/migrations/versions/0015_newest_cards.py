"""the newest cards by index

Revision: 0015. After: 0014. Written: 2026-11-29 18:48:00.
"""

from alembic import op

revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index('ix_cards_requested', 'cards', ['requested_at', 'id'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_cards_requested', table_name='cards')
