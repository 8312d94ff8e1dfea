"""Preferences: owns what a user wants to be told and how; whether a message is told is decided by the planner."""
