"""Evidence records (RFC 4998): hash trees under few timestamps, renewed before they weaken."""
