#!/bin/bash
# Runs a class of Kafka with the settings that its own scripts read from the environment.
set -eu
mkdir -p "${LOG_DIR:-/opt/kafka/logs}"
# shellcheck disable=SC2086 - options are words
exec java ${KAFKA_HEAP_OPTS:--Xms64m -Xmx256m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData \
  --sun-misc-unsafe-memory-access=allow --enable-native-access=ALL-UNNAMED \
  -Dorg.slf4j.simpleLogger.defaultLogLevel=warn ${KAFKA_OPTS:-} -cp '/opt/kafka/libs/*' "$@"
