"""What a signed-in user sees and changes of themselves."""
