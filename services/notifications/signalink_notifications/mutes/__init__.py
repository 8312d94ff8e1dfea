"""Mutes: owns the channels that a user wants to hear nothing from."""
