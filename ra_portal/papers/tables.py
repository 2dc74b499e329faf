"""Rows of papers that came with an application, and their pictures."""

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, String, Table

from records.database import ROW_ID, UtcDateTime, metadata

documents = Table(
    "documents",
    metadata,
    Column("id", ROW_ID, primary_key=True),
    Column("application_id", ROW_ID, nullable=False, index=True),
    Column("kind", String(16), nullable=False, server_default="licence"),
    Column("media_type", String(40), nullable=False),
    Column("file_name", String(120), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("uploaded_at", UtcDateTime, nullable=False),
    Column("pages", Integer, nullable=False, server_default="1"),
)

# What officers look at: each page as a picture that we made ourselves.
document_pages = Table(
    "document_pages",
    metadata,
    Column("document_id", ROW_ID, ForeignKey("documents.id"), primary_key=True),
    Column("page", Integer, primary_key=True, autoincrement=False),
    Column("media_type", String(40), nullable=False),
    Column("content", LargeBinary, nullable=False),
)
