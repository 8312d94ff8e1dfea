"""Channels and who is in them: reading here, changes through the functions of the database."""
