"""What services with tokens of their own may do: owns the channels that they manage by slug."""
