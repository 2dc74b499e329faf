"""Enterprises and operators from a spreadsheet: looked at first, taken over when confirmed."""
