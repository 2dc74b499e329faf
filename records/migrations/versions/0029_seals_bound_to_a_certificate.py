"""activation data is bound to a client certificate

Revision: 0029. After: 0028. Written: 2026-11-30 00:45:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0029'
down_revision = '0028'
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column('certificate_hash', sa.LargeBinary(32), nullable=True)
    op.add_column('remote_activation', column)


def downgrade() -> None:
    op.drop_column('remote_activation', 'certificate_hash')
