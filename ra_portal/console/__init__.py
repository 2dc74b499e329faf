"""Acts at the machine's console: officers sign each with their cards, or an exception is told."""
