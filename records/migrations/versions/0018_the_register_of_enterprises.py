"""the register of enterprises in pages; people found by a part of their name

Revision: 0018. After: 0017. Written: 2026-11-29 21:05:00.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None

_BATCH = 1000
_PARTIAL = (
    ('ix_enterprises_active', ['created_at', 'id'], 'closed_at IS NULL'),
    ('ix_enterprises_closed', ['created_at', 'id'], 'closed_at IS NOT NULL'),
    ('ix_enterprises_branch_active', ['branch_id', 'created_at', 'id'], 'closed_at IS NULL'),
    ('ix_enterprises_branch_closed', ['branch_id', 'created_at', 'id'], 'closed_at IS NOT NULL'),
)


def upgrade() -> None:
    op.drop_index('ix_enterprises_newest', table_name='enterprises')
    op.drop_index('ix_enterprises_branch', table_name='enterprises')
    for name, columns, where in _PARTIAL:
        condition = sa.text(where)
        op.create_index(
            name, 'enterprises', columns, postgresql_where=condition, sqlite_where=condition
        )
    op.create_index('ix_enterprises_customs', 'enterprises', ['customs_code', 'created_at', 'id'])
    op.create_table(
        'person_name_parts',
        sa.Column('part', sa.LargeBinary(length=64), nullable=False),
        sa.Column('holder', sa.String(length=56), nullable=False),
        sa.PrimaryKeyConstraint('part', 'holder', name=op.f('pk_person_name_parts')),
    )
    for kind, table in (('operator', 'operators'), ('officer', 'officers')):
        _remember_names(kind, table)
    op.create_index('ix_person_name_parts_holder', 'person_name_parts', ['holder'])


def _remember_names(kind: str, table: str) -> None:
    """Of those who are there already, a batch at a time: there may be millions."""
    connection, last = op.get_bind(), ''
    query = sa.text(
        f"SELECT id, name FROM {table} WHERE id > :last ORDER BY id LIMIT {_BATCH}"
    )
    while rows := connection.execute(query, {'last': last}).all():
        last = rows[-1].id
        _insert((f'{kind}:{row.id}', part) for row in rows for part in set(_parts(row.name)))


def _insert(cuts: Iterable[tuple[str, bytes]]) -> None:
    parts = sa.table(
        'person_name_parts', sa.column('part', sa.LargeBinary), sa.column('holder')
    )
    rows = [{'part': part, 'holder': holder} for holder, part in cuts]
    op.get_bind().execute(sa.insert(parts), rows)


def _parts(name: str) -> list[bytes]:
    """As `ra_portal/people/name_search.py` cuts a person's name today."""
    folded = ' '.join(name.casefold().split())
    return [folded[i:i + 16].encode() for i in range(max(len(folded), 1))]


def downgrade() -> None:
    op.drop_index('ix_person_name_parts_holder', table_name='person_name_parts')
    op.drop_table('person_name_parts')
    op.drop_index('ix_enterprises_customs', table_name='enterprises')
    for name, _, _ in reversed(_PARTIAL):
        op.drop_index(name, table_name='enterprises')
    op.create_index('ix_enterprises_branch', 'enterprises', ['branch_id', 'created_at', 'id'])
    op.create_index('ix_enterprises_newest', 'enterprises', ['created_at', 'id'])
