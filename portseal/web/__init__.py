"""What every page shares: layout, language, security headers and the pages of refusals."""
