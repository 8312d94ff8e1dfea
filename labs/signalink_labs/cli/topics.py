"""Owns `signalink apply` and `signalink get topics`: Topic manifests and topics of the running platform's Kafka.

The plans and the calls are the operator's; here they are only given their Kafka and shown.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from signalink_core.errors import ConfigurationError, DependencyUnavailable
from signalink_core.settings import KafkaSettings
from signalink_labs.cli import output
from signalink_operator import apply as operator_apply
from signalink_operator.adapters import kafka, manifests
from signalink_operator.model import ObservedTopic
from signalink_stacks.local import control
from signalink_stacks.local.ports import LOOPBACK
from signalink_stacks.local.state import StateFolder

PRINCIPAL = "operator"
get = typer.Typer(help="What there is: topics, channels.", no_args_is_help=True)
Files = Annotated[list[Path], typer.Option("--file", "-f", help="Manifest file or folder; repeatable.")]


def apply(file: Files, as_json: output.Json = False) -> int:
    """Bring topics to what Topic manifests say, once. Exit 1: one is not as its manifest says."""
    desired = manifests.load(file)
    results = operator_apply.run(desired, admin())
    if as_json:
        shown = [{"topic": one.topic, "outcome": one.outcome, "why": one.why or None} for one in results]
        output.document({"topics": shown})
    else:
        for result in results:
            output.text(str(result))
    return 1 if any(result.outcome == "refused" for result in results) else 0


@get.command("topics")
def topics(
    name: Annotated[list[str] | None, typer.Argument(help="Only these; all without.")] = None,
    as_json: output.Json = False,
) -> None:
    """List topics: partitions, replicas, and the settings that are their own."""
    found = observed(admin(), name or [])
    if as_json:
        output.document({"topics": [as_document(topic) for topic in found]})
        return
    if found:
        output.console().print(table(found))
    output.text(f"{len(found)} topics")


def observed(client: kafka.KafkaTopics, names: list[str]) -> list[ObservedTopic]:
    """By name; ConfigurationError for one that is not there, DependencyUnavailable when Kafka does not say."""
    found = []
    for name, seen in client.observe(names or client.names()).items():
        if seen is None:
            raise ConfigurationError(f"There is no topic {name}.", next_step="`signalink get topics` lists all.")
        if not isinstance(seen, ObservedTopic):
            raise DependencyUnavailable(f"{name}: {seen.reason}: {seen.message}")
        found.append(seen)
    return sorted(found, key=lambda topic: topic.name)


def admin() -> kafka.KafkaTopics:
    """Kafka of the platform that runs, as the operator; EnvironmentBroken when none does."""
    folder = StateFolder()
    state = control.require_engine(folder, "kafka")
    return kafka.KafkaTopics(
        KafkaSettings(
            bootstrap=f"{LOOPBACK}:{state.ports['kafka']}",
            user=PRINCIPAL,
            password_file=folder.secrets.path(f"kafka-{PRINCIPAL}"),
            security="sasl_plaintext",
            topic_prefix=state.settings.get("TOPIC_PREFIX", ""),
        )
    )


def as_document(topic: ObservedTopic) -> dict[str, Any]:
    own = {key: entry.value for key, entry in sorted(topic.config.items()) if entry.own}
    return {
        "name": topic.name,
        "id": topic.topic_id,
        "partitions": topic.partitions,
        "replicas": topic.replicas,
        "config": own,
    }


def table(found: list[ObservedTopic]) -> Table:
    result = Table(box=None, pad_edge=False)
    for heading in ("topic", "partitions", "replicas", "settings"):
        result.add_column(heading, justify="right" if heading in {"partitions", "replicas"} else "left")
    for topic in found:
        settings = ", ".join(f"{key}={value}" for key, value in as_document(topic)["config"].items())
        result.add_row(topic.name, str(topic.partitions), str(topic.replicas), settings)
    return result
