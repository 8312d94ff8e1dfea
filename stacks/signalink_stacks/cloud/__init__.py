"""What commands do with a stack's graph and an AWS account: price, examine, sweep. Nothing is created here."""
