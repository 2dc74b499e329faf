"""indexes for rows that are removed when they have served their turn

Revision: 0023. After: 0022. Written: 2026-11-29 21:25:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0023'
down_revision = '0022'
branch_labels = None
depends_on = None

_INDEXES = (
    ('ix_outbox_delivered', 'outbox', 'delivered_at', True),
    ('ix_sso_session_ended', 'sso_session', 'ended_at', True),
    ('ix_notices_ended', 'notices', 'ended_at', True),
    ('ix_renewals_settled', 'renewals', 'settled_at', True),
    ('ix_one_time_codes_expires', 'one_time_codes', 'expires_at', False),
    # A session goes when nothing names it any more.
    ('ix_sso_access_token_sid', 'sso_access_token', 'sid', False),
    ('ix_sso_refresh_token_sid', 'sso_refresh_token', 'sid', False),
    ('ix_remote_activation_sid', 'remote_activation', 'sid', False),
)


def upgrade() -> None:
    for name, table, column, partial in _INDEXES:
        where = sa.text(f'{column} IS NOT NULL') if partial else None
        op.create_index(name, table, [column], postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    for name, table, _, _ in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
