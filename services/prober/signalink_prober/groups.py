"""Lag and offset of every consumer group, as gauges; a group that is gone has no figure any more."""

from signalink_core.kafka import groups
from signalink_core.settings import KafkaSettings
from signalink_core.telemetry import names

EVERY_SECONDS = 5.0


class Groups:
    def __init__(self, kafka: KafkaSettings) -> None:
        self._kafka = kafka

    async def look(self) -> None:
        """Raises KafkaUnavailable; the figures of the last look then stand."""
        found = await groups.progress(self._kafka)
        names.KAFKA_CONSUMERGROUP_LAG.clear()
        names.KAFKA_CONSUMERGROUP_CURRENT_OFFSET.clear()
        for each in found:
            partition = str(each.partition)
            names.KAFKA_CONSUMERGROUP_LAG.labels(consumergroup=each.group, topic=each.topic, partition=partition).set(
                each.lag
            )
            names.KAFKA_CONSUMERGROUP_CURRENT_OFFSET.labels(
                consumergroup=each.group, topic=each.topic, partition=partition
            ).set(each.offset)
