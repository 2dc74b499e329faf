"""what is left of a mass job

Revision: 0030. After: 0029. Written: 2026-11-30 00:40:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0030'
down_revision = '0029'
branch_labels = None
depends_on = None

_LEFT = sa.text('outcome IS NULL')


def upgrade() -> None:
    for kind in ('reissue', 'mass'):
        op.create_index(
            f'ix_ca_{kind}_items_left', f'ca_{kind}_items', ['job', 'position'],
            postgresql_where=_LEFT, sqlite_where=_LEFT,
        )


def downgrade() -> None:
    for kind in ('reissue', 'mass'):
        op.drop_index(f'ix_ca_{kind}_items_left', f'ca_{kind}_items')
