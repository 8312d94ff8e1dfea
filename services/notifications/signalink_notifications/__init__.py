"""Who is told what and how: planner, dispatcher, channels (email, push, webhook) and the preferences api."""

SCHEMA = "notifications"
