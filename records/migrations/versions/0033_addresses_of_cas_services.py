"""addresses of cas services

Revision: 0033. After: 0032. Written: 2026-11-30 03:12:00.

A table of the addresses that platforms registered, so that a sign-in finds its platform by an
index. Where two platforms had the same address, the one that was registered first keeps it.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = '0033'
down_revision = '0032'
branch_labels = None
depends_on = None


def upgrade() -> None:
    services = op.create_table('sso_cas_service',
    sa.Column('address', sa.Text(), nullable=False),
    sa.Column('client_id', sa.String(length=64), nullable=False),
    sa.ForeignKeyConstraint(['client_id'], ['sso_platform.client_id'], name=op.f('fk_sso_cas_service_client_id_sso_platform')),
    sa.PrimaryKeyConstraint('address', name=op.f('pk_sso_cas_service'))
    )
    op.create_index('ix_sso_cas_service_client', 'sso_cas_service', ['client_id'], unique=False)

    live = sa.text(
        'SELECT client_id, terms FROM sso_platform WHERE disabled_at IS NULL '
        'ORDER BY registered_at, client_id'
    )
    owners: dict[str, str] = {}
    for client_id, terms in op.get_bind().execute(live):
        for address in json.loads(terms).get('cas_services', []):
            owners.setdefault(address, client_id)
    if owners:
        rows = [{'address': address, 'client_id': owner} for address, owner in owners.items()]
        op.bulk_insert(services, rows)


def downgrade() -> None:
    op.drop_index('ix_sso_cas_service_client', 'sso_cas_service')
    op.drop_table('sso_cas_service')
