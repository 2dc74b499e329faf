"""encryption certificates beside signing ones

Revision: 0005. After: 0004. Written: 2026-11-29 18:05:56.038831.
"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('ca_certificates', schema=None) as batch_op:
        batch_op.add_column(sa.Column('companion_of', sa.String(length=40), nullable=True))
        batch_op.create_index('ix_ca_certificates_companion', ['companion_of'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('ca_certificates', schema=None) as batch_op:
        batch_op.drop_index('ix_ca_certificates_companion')
        batch_op.drop_column('companion_of')

