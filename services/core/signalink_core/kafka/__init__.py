"""Kafka for services: producer, consumers and their memory twins, bounded readers of topics, and access rights.

The only package that imports aiokafka. Names of topics are logical here: the deployment's prefix
(`KafkaSettings.topic_prefix`) is put on and taken off inside. What is published when is the relay's business.
"""
