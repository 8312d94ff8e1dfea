"""What every target needs to know, and nothing that acts: images, environments of services. Imports no target."""
