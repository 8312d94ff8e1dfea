"""The only places that touch the outside: Kafka's admin API and manifest files. Deciding is left to `plans`."""
