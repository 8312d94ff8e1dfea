"""Who is told what and how: the planner, the dispatcher, the channels (email, push, webhook) and the preferences api."""
