"""Registration: branches, drafts, returns by field, identity numbers, name search, imports.

Revision: 0011. After: 0010. Written: 2026-11-29 17:42:14.553854.
"""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('branches',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('code', sa.String(length=12), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('region', sa.String(length=80), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_branches')),
    sa.UniqueConstraint('code', name=op.f('uq_branches_code'))
    )
    op.create_table('drafts',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('code_hash', sa.String(length=64), nullable=True),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.Column('licence_id', sa.String(length=32), nullable=True),
    sa.Column('attorney_id', sa.String(length=32), nullable=True),
    sa.Column('changed_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_drafts')),
    sa.UniqueConstraint('code_hash', name=op.f('uq_drafts_code_hash'))
    )
    with op.batch_alter_table('drafts', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_drafts_changed_at'), ['changed_at'], unique=False)

    op.create_table('imports',
    sa.Column('id', sa.String(length=32), nullable=False),
    sa.Column('kind', sa.String(length=16), nullable=False),
    sa.Column('owner', sa.String(length=64), nullable=False),
    sa.Column('file_name', sa.String(length=120), nullable=False),
    sa.Column('content', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_imports'))
    )
    with op.batch_alter_table('imports', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_imports_created_at'), ['created_at'], unique=False)

    op.create_table('name_parts',
    sa.Column('part', sa.LargeBinary(length=64), nullable=False),
    sa.Column('uscc', sa.String(length=18), nullable=False),
    sa.PrimaryKeyConstraint('part', 'uscc', name=op.f('pk_name_parts'))
    )
    with op.batch_alter_table('name_parts', schema=None) as batch_op:
        batch_op.create_index('ix_name_parts_uscc', ['uscc'], unique=False)

    op.create_table('document_pages',
    sa.Column('document_id', sa.String(length=32), nullable=False),
    sa.Column('page', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('media_type', sa.String(length=40), nullable=False),
    sa.Column('content', sa.LargeBinary(), nullable=False),
    sa.ForeignKeyConstraint(['document_id'], ['documents.id'], name=op.f('fk_document_pages_document_id_documents')),
    sa.PrimaryKeyConstraint('document_id', 'page', name=op.f('pk_document_pages'))
    )
    for table in ('applications', 'enterprises', 'officers'):
        _add_reference(table, 'branch_id', 'branches')
    _add_reference('applications', 'attorney_id', 'documents')
    with op.batch_alter_table('applications', schema=None) as batch_op:
        batch_op.add_column(sa.Column('identity_cipher', sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column('identity_index', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('remarks', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('previous', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('assigned_to', sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column('reminded_at', sa.DateTime(timezone=True), nullable=True))
        batch_op.alter_column('licence_id',
               existing_type=sa.VARCHAR(length=32),
               nullable=True)
        batch_op.drop_index(batch_op.f('ix_applications_queue'))
        batch_op.create_index('ix_applications_queue', ['state', 'changed_at', 'id'], unique=False)
        batch_op.create_index('ix_applications_assigned', ['assigned_to', 'state', 'changed_at', 'id'], unique=False)
        batch_op.create_index('ix_applications_unreminded', ['state', 'changed_at'], unique=False, postgresql_where=sa.text('reminded_at IS NULL'), sqlite_where=sa.text('reminded_at IS NULL'))
        batch_op.create_index(batch_op.f('ix_applications_enterprise_id'), ['enterprise_id'], unique=False)
        batch_op.create_index('ix_applications_branch', ['branch_id', 'state', 'changed_at', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_applications_identity_index'), ['identity_index'], unique=False)

    with op.batch_alter_table('documents', schema=None) as batch_op:
        batch_op.add_column(sa.Column('kind', sa.String(length=16), server_default='licence', nullable=False))
        batch_op.add_column(sa.Column('pages', sa.Integer(), server_default='1', nullable=False))

    with op.batch_alter_table('enterprises', schema=None) as batch_op:
        batch_op.add_column(sa.Column('identity_cipher', sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column('identity_index', sa.String(length=64), nullable=True))
        batch_op.create_index('ix_enterprises_branch', ['branch_id', 'created_at', 'id'], unique=False)
        batch_op.create_index(batch_op.f('ix_enterprises_identity_index'), ['identity_index'], unique=False)
        batch_op.create_index('ix_enterprises_newest', ['created_at', 'id'], unique=False)

    with op.batch_alter_table('operators', schema=None) as batch_op:
        batch_op.add_column(sa.Column('identity_cipher', sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column('identity_index', sa.String(length=64), nullable=True))
        batch_op.create_index(batch_op.f('ix_operators_identity_index'), ['identity_index'], unique=False)
    _fill_name_parts()


def _add_reference(table: str, column: str, other: str) -> None:
    """In place: rebuilding a table, as SQLite would, is refused where others point to it."""
    op.execute(
        f"ALTER TABLE {table} ADD COLUMN {column} VARCHAR(32) "
        f"CONSTRAINT fk_{table}_{column}_{other} REFERENCES {other} (id)"
    )


def _fill_name_parts() -> None:
    """For the names that are there already; as `ra_portal/people/name_search.py` cuts them today."""
    connection = op.get_bind()
    parts = sa.table('name_parts', sa.column('part', sa.LargeBinary), sa.column('uscc'))
    known = 'SELECT uscc, name FROM enterprises UNION SELECT uscc, name FROM applications'
    rows = connection.execute(sa.text(known)).all()
    for start in range(0, len(rows), 1000):
        cut = {(part, uscc) for uscc, name in rows[start:start + 1000] for part in _parts(name)}
        if cut:
            connection.execute(
                sa.insert(parts), [{'part': part, 'uscc': uscc} for part, uscc in sorted(cut)]
            )


def _parts(name: str) -> list[bytes]:
    folded = ' '.join(name.casefold().split())
    forms = ('有限责任公司', '股份有限公司', '有限公司')
    form = next((form for form in forms if folded.endswith(form)), '')
    return [folded[i:i + 16].encode() for i in range(max(len(folded) - len(form), 1))]


def downgrade() -> None:
    with op.batch_alter_table('operators', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_operators_identity_index'))
        batch_op.drop_column('identity_index')
        batch_op.drop_column('identity_cipher')

    with op.batch_alter_table('officers', schema=None) as batch_op:
        batch_op.drop_column('branch_id')

    with op.batch_alter_table('enterprises', schema=None) as batch_op:
        batch_op.drop_index('ix_enterprises_newest')
        batch_op.drop_index(batch_op.f('ix_enterprises_identity_index'))
        batch_op.drop_index('ix_enterprises_branch')
        batch_op.drop_column('branch_id')
        batch_op.drop_column('identity_index')
        batch_op.drop_column('identity_cipher')

    with op.batch_alter_table('documents', schema=None) as batch_op:
        batch_op.drop_column('pages')
        batch_op.drop_column('kind')

    with op.batch_alter_table('applications', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_applications_identity_index'))
        batch_op.drop_index('ix_applications_branch')
        batch_op.drop_index(batch_op.f('ix_applications_enterprise_id'))
        batch_op.drop_index('ix_applications_unreminded')
        batch_op.drop_index('ix_applications_assigned')
        batch_op.drop_index('ix_applications_queue')
        batch_op.create_index(batch_op.f('ix_applications_queue'), ['state', 'changed_at'], unique=False)
        batch_op.alter_column('licence_id',
               existing_type=sa.VARCHAR(length=32),
               nullable=False)
        batch_op.drop_column('reminded_at')
        batch_op.drop_column('assigned_to')
        batch_op.drop_column('previous')
        batch_op.drop_column('remarks')
        batch_op.drop_column('attorney_id')
        batch_op.drop_column('branch_id')
        batch_op.drop_column('identity_index')
        batch_op.drop_column('identity_cipher')

    op.drop_table('document_pages')
    with op.batch_alter_table('name_parts', schema=None) as batch_op:
        batch_op.drop_index('ix_name_parts_uscc')

    op.drop_table('name_parts')
    with op.batch_alter_table('imports', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_imports_created_at'))

    op.drop_table('imports')
    with op.batch_alter_table('drafts', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_drafts_changed_at'))

    op.drop_table('drafts')
    op.drop_table('branches')
