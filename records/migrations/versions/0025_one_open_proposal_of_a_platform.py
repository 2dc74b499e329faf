"""one open proposal of a platform

Revision: 0025. After: 0024. Written: 2026-11-29 21:25:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0025'
down_revision = '0024'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Of several that two made at the same moment, the first stays.
    op.execute(
        "UPDATE sso_platform_proposal SET decision = 'refused', decided_by = 'migration',"
        " decided_at = proposed_at WHERE decision IS NULL AND EXISTS ("
        "SELECT 1 FROM sso_platform_proposal AS older WHERE older.decision IS NULL"
        " AND older.client_id = sso_platform_proposal.client_id"
        " AND older.id <> sso_platform_proposal.id"
        " AND (older.proposed_at < sso_platform_proposal.proposed_at"
        " OR (older.proposed_at = sso_platform_proposal.proposed_at"
        " AND older.id < sso_platform_proposal.id)))"
    )
    op.create_index(
        'uq_sso_platform_proposal_open', 'sso_platform_proposal', ['client_id'], unique=True,
        postgresql_where=sa.text('decision IS NULL'), sqlite_where=sa.text('decision IS NULL'),
    )


def downgrade() -> None:
    op.drop_index('uq_sso_platform_proposal_open', table_name='sso_platform_proposal')
