"""History: shows a user what they were told; what is planned and sent is others' to write."""
