"""Web pages and HTTP API of the signing service: routes only."""
