"""The event log for its readers and followers: rows, reads, state, relay. SQL functions of the api write it."""
