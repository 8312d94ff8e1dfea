"""Devices: owns where a user's push notifications go; sending them is the notifications service's."""
