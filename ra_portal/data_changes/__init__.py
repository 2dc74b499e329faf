"""Changes of registered data: proposed by one, reviewed beside licence and registry by another."""
