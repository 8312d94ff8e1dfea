"""Accounts and sessions: register, login, refresh, logout, signing keys."""
