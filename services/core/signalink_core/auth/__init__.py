"""Tokens: Ed25519 keys, signing (api), verifying (everybody). Passwords, refresh, revocation are the api's."""
