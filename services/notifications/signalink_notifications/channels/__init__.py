"""The ways out of the platform, one module each behind the port in `port`; when they are used is `delivery`'s."""
