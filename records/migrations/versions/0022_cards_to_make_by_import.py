"""cards to make by the import that they came with

Revision: 0022. After: 0021. Written: 2026-11-29 21:35:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0022'
down_revision = '0021'
branch_labels = None
depends_on = None

_INDEXES = (
    ('ix_applications_import', 'applications', 'import_id'),
    ('ix_cards_proposed', 'cards', 'code_proposed_by'),
)


def upgrade() -> None:
    op.add_column('applications', sa.Column('import_id', sa.String(length=32), nullable=True))
    for name, table, column in _INDEXES:
        condition = sa.text(f'{column} IS NOT NULL')
        op.create_index(
            name, table, [column], postgresql_where=condition, sqlite_where=condition
        )


def downgrade() -> None:
    for name, table, _ in reversed(_INDEXES):
        op.drop_index(name, table_name=table)
    op.drop_column('applications', 'import_id')
