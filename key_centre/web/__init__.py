"""The centre over HTTP: JSON for cards' programs and officers, and the officers' pages."""
