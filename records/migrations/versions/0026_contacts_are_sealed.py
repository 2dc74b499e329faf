"""contacts are sealed

Revision: 0026. After: 0025. Written: 2026-11-29 21:35:00.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = '0026'
down_revision = '0025'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('applications', sa.Column('contact_cipher', sa.LargeBinary(), nullable=True))
    # A migration has no key: the worker seals what stands in these and empties them.
    for name in ('phone', 'email'):
        op.execute(f'ALTER TABLE applications RENAME COLUMN {name} TO clear_{name}')
    _forget_former_ones()
    # Previews, kept for a day: whoever brought one brings it again.
    op.execute('DELETE FROM imports')
    op.create_index(
        'ix_notices_kept', 'notices', ['expires_at'],
        postgresql_where=sa.text('sealed IS NOT NULL'), sqlite_where=sa.text('sealed IS NOT NULL'),
    )


def _forget_former_ones() -> None:
    """What a corrected telephone number or mail address was before."""
    table = sa.table('applications', sa.column('id'), sa.column('previous'))
    connection = op.get_bind()
    query = sa.select(table).where(
        table.c.previous.contains('"phone"') | table.c.previous.contains('"email"')
    )
    for identifier, previous in connection.execute(query).all():
        told = json.loads(previous)
        told |= {name: None for name in ('phone', 'email') if name in told}
        written = json.dumps(told, ensure_ascii=False)
        mine = sa.update(table).where(table.c.id == identifier)
        connection.execute(mine.values(previous=written))


def downgrade() -> None:
    op.drop_index('ix_notices_kept', table_name='notices')
    for name in ('phone', 'email'):
        op.execute(f'ALTER TABLE applications RENAME COLUMN clear_{name} TO {name}')
    op.drop_column('applications', 'contact_cipher')
