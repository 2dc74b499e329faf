"""runs of jobs, clocks of nodes

Revision: 0006. After: 0005. Written: 2026-11-29 17:50:00.
"""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('job_runs',
    sa.Column('name', sa.String(length=40), nullable=False),
    sa.Column('number', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('node', sa.String(length=100), nullable=False),
    sa.Column('failure', sa.String(length=200), nullable=False),
    sa.Column('rest_seconds', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_job_runs'))
    )
    op.add_column('worker_rounds', sa.Column('skew_ms', sa.Integer(), nullable=False, server_default='0'))


def downgrade() -> None:
    op.drop_column('worker_rounds', 'skew_ms')
    op.drop_table('job_runs')
