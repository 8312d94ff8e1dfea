"""Owns the files by which exporters of others sign in: each has a form of its own, none takes a word from a plain file.

They come in as the prober, which may look and change nothing.
"""

import json
from pathlib import Path
from typing import Final

from signalink_core.errors import ConfigurationError
from signalink_core.provision.files import write_private
from signalink_core.provision.secretfiles import SecretFiles

PROBER: Final = "prober"
REDIS_ADDRESS: Final = f"redis://{PROBER}@127.0.0.1:6379"
"""How redis_exporter looks a word up: its address with its user."""
KAFKA_PORT: Final = 9308


def write_redis(secrets: SecretFiles, out: Path) -> None:
    """redis_exporter's map from address to word."""
    write_private(out, json.dumps({REDIS_ADDRESS: secrets.read(f"redis-{PROBER}")}) + "\n")


def write_kafka(secrets: SecretFiles, out: Path) -> None:
    """kafka_exporter's arguments, one a line, read from `@FILE`. ConfigurationError for a word of two lines."""
    word = secrets.read(f"kafka-{PROBER}")
    if len(word.splitlines()) != 1:
        raise ConfigurationError(
            f"The word kafka-{PROBER} has more than one line.", next_step="take a word without a line break."
        )
    flags = {
        "kafka.server": "127.0.0.1:9092",
        "web.listen-address": f":{KAFKA_PORT}",
        "sasl.mechanism": "scram-sha512",
        "sasl.username": PROBER,
        "sasl.password": word,
    }
    lines = ["--sasl.enabled", *(f"--{flag}={value}" for flag, value in flags.items())]
    write_private(out, "".join(f"{line}\n" for line in lines))
