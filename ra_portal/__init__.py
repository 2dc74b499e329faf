"""Who may hold a credential: enterprises, operators, officers, vetting and the life of a card."""
