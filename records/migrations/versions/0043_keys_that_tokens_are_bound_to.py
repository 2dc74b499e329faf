"""keys that tokens are bound to

Revision: 0043. After: 0042. Written: 2026-11-30 08:05:00.

The thumbprint of the key that must prove itself with a code or token (RFC 9449).
"""

import sqlalchemy as sa
from alembic import op

revision = '0043'
down_revision = '0042'
branch_labels = None
depends_on = None

_TABLES = ('sso_code', 'sso_access_token', 'sso_refresh_token')


def upgrade() -> None:
    for table in _TABLES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.add_column(sa.Column('dpop_key', sa.LargeBinary(length=32), nullable=True))


def downgrade() -> None:
    for table in _TABLES:
        with op.batch_alter_table(table, schema=None) as batch_op:
            batch_op.drop_column('dpop_key')
