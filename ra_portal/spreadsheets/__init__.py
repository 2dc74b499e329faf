"""Spreadsheets in and out: CSV and XLSX, small and harmless."""
