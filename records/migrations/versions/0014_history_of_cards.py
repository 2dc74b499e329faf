"""The journal finds what a card did.

Revision: 0014. After: 0013. Written: 2026-11-29.
"""

import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

_DEEDS = sa.text(
    "event IN ('signature.accepted', 'signature.refused', 'signin.succeeded', 'session.ended')"
)


def upgrade() -> None:
    op.create_index(
        'ix_journal_deeds', 'journal', ['actor', 'position'],
        postgresql_where=_DEEDS, sqlite_where=_DEEDS,
    )


def downgrade() -> None:
    op.drop_index('ix_journal_deeds', 'journal')
