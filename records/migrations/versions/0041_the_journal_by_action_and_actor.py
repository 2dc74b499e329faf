"""the journal by action and actor

Revision: 0041. After: 0040. Written: 2026-11-30 08:05:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0041'
down_revision = '0040'
branch_labels = None
depends_on = None

_DEEDS = sa.text("event IN ('signature.accepted', 'signature.refused', 'signin.succeeded', 'session.ended')")


def upgrade() -> None:
    op.drop_index('ix_journal_subject', 'journal')
    op.create_index('ix_journal_subject', 'journal', ['subject', 'position'])
    op.create_index('ix_journal_actor', 'journal', ['actor', 'position'])
    op.create_index('ix_journal_event', 'journal', ['event', 'position'])
    op.drop_index('ix_journal_deeds', 'journal')


def downgrade() -> None:
    op.create_index(
        'ix_journal_deeds', 'journal', ['actor', 'position'],
        postgresql_where=_DEEDS, sqlite_where=_DEEDS,
    )
    op.drop_index('ix_journal_event', 'journal')
    op.drop_index('ix_journal_actor', 'journal')
    op.drop_index('ix_journal_subject', 'journal')
    op.create_index('ix_journal_subject', 'journal', ['subject'])
