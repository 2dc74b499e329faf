"""signatures that join others

Prepared signatures may be parallel ones, counter-signatures, or a bundle's.

Revision: 0003. After: 0002. Written: 2026-11-29 17:30:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('prepared_signatures', schema=None) as batch_op:
        batch_op.add_column(
            sa.Column('act', sa.String(length=16), server_default='first', nullable=False)
        )
        batch_op.add_column(sa.Column('signed', sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('prepared_signatures', schema=None) as batch_op:
        batch_op.drop_column('signed')
        batch_op.drop_column('act')
