"""The api service: REST, accounts, and the only writer of the event log."""
