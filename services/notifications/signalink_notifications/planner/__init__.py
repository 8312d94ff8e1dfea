"""Planner: who is to be told of a message, by which channels and when. Sending is the dispatcher's."""
