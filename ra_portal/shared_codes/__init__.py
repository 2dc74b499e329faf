"""One-time codes that whoever asks in time shares (decision 50): of cards and of applications."""
