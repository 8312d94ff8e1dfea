"""What a pipeline does: publish images by digest, deploy a stack with a way back, and who may do it at the cloud."""
