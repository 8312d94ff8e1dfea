"""Unsubscribe: owns the link in every mail that ends mails without a login; wishes otherwise are `preferences`'s."""
