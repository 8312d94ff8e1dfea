"""Blocks: owns of whom a user wants to be told nothing; not telling them is the notifications service's."""
