"""Every key of a stack is read by the program: one that nobody reads says something that is not done."""

import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import awsgraphs
import graphs
import pytest

from signalink_stacks.lib import bindingconfig, settings

READERS = {f"signalink_stacks.lib.{name}" for name in ("settings", "config", "cloudconfig", "bindingconfig")}
SETTINGS = (
    settings.Aws,
    settings.BindingSettings,
    settings.ClusterSettings,
    settings.Config,
    settings.Images,
    settings.Ingress,
    settings.Nodes,
)
OPEN = {"ingress": {"mode": "gateway", "class": "edge", "baseUrl": "https://chat.example.org", "tlsSecret": "tls"}}
STACKS: Mapping[str, Mapping[str, Any]] = {
    "chart": graphs.EXISTING | {"cluster": {"context": "lab"} | OPEN},
    "operator": graphs.CASES["existing-operators"],
    "external": graphs.CASES["existing-external"],
    "aws": awsgraphs.STACKS["eks-full"],
    "aws-lite": awsgraphs.STACKS["aws-lite"],
}
Read = Mapping[tuple[str, str], set[str]]


@pytest.fixture(scope="module")
def read() -> Any:
    """What was read of each class of settings, and of the binding of each engine by each provider."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    engines: dict[int, tuple[str, Any]] = {}

    def spy(self: Any, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if type(self) is settings.Config and name == "bindings":
            engines.update({id(each): (engine, each) for engine, each in value.items()})
        if not name.startswith("__") and sys._getframe(1).f_globals["__name__"] not in READERS:
            found[type(self).__name__, ""].add(name)
            if type(self) is settings.BindingSettings:
                engine, _ = engines[id(self)]
                found[engine, object.__getattribute__(self, "provider")].add(name)
        return value

    with pytest.MonkeyPatch.context() as patched:
        for each in SETTINGS:
            patched.setattr(each, "__getattribute__", spy)
        for raw in STACKS.values():
            graphs.of(str(raw["target"]), raw)
    return found


@pytest.mark.parametrize("each", SETTINGS)
def test_every_setting_is_read_by_the_program(read: Read, each: Any) -> None:
    """`images.architecture` is compared with the machines where it is read, and is all that is done with it."""
    compared = {"architecture"} if each is settings.Images else set()
    assert {field.name for field in fields(each)} - read[each.__name__, ""] == compared


def test_a_provider_reads_what_the_reader_takes_with_it_and_nothing_else(read: Read) -> None:
    """Nobody is asked for the `security` of another engine than Kafka: there it is empty."""
    for (engine, provider), taken in bindingconfig.TAKEN.items():
        known = {"provider"} if engine == "kafka" else {"provider", "security"}
        assert read[engine, provider] - known == taken, (engine, provider)
