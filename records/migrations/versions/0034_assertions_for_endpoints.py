"""assertions for endpoints

Revision: 0034. After: 0033. Written: 2026-11-30 03:36:00.

Assertions are made out to the issuer alone from now on. Platforms that were registered before may
go on naming an endpoint, until an administrator changes their terms.
"""

import json

import sqlalchemy as sa
from alembic import op

revision = '0034'
down_revision = '0033'
branch_labels = None
depends_on = None

_FIND = sa.text('SELECT client_id, terms FROM sso_platform')
_CHANGE = sa.text('UPDATE sso_platform SET terms = :terms WHERE client_id = :client')


def upgrade() -> None:
    connection = op.get_bind()
    for client, found in connection.execute(_FIND).all():
        terms = json.loads(found)
        if terms.get('auth_method') == 'private_key_jwt':
            written = json.dumps({**terms, 'endpoint_audience': True}, ensure_ascii=False)
            connection.execute(_CHANGE, {'client': client, 'terms': written})


def downgrade() -> None:
    pass
