"""A choice of services: what comes along, which engines follow, and what is named as missing."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalink_core.errors import ConfigurationError
from signalink_stacks.local import choice, control, discovery, layout, starts
from signalink_stacks.local.credentials import Credentials
from signalink_stacks.local.layout import Wishes
from signalink_stacks.local.problems import EnvironmentBroken
from signalink_stacks.local.state import StateFolder

ALL = discovery.manifests()
NAMES = sorted(manifest.name for manifest in ALL)


def names(chosen: choice.Chosen) -> set[str]:
    return {manifest.name for manifest in chosen.services}


def needs(chosen: choice.Chosen, service: str) -> set[str]:
    return set(next(each for each in chosen.services if each.name == service).needs)


def test_without_a_choice_everything_runs() -> None:
    found = choice.select(ALL, ())
    assert (names(found), found.engines, found.off) == (set(NAMES), ("postgres", "valkey", "kafka"), ())


def test_api_and_gateway_run_on_postgres_and_valkey_alone() -> None:
    found = choice.select(ALL, ("api", "gateway"))
    assert (names(found), found.engines) == ({"api", "gateway"}, ("postgres", "valkey"))
    assert needs(found, "gateway") == {"postgres", "redis", "api"}
    assert {each.name for each in found.off} == {"kafka", "analytics", "notifications", "prober", "relay"}
    said = {each.name: each.purpose for each in found.off}
    assert said["kafka"] == "gateway runs without it and writes nothing to presence"
    assert "to Kafka" in said["relay"]


def test_what_a_chosen_service_needs_comes_along_and_is_said() -> None:
    found = choice.select(ALL, ("prober",))
    assert names(found) == {"prober", "gateway", "api"}
    assert found.added == {"api": "prober", "gateway": "prober"}
    assert found.engines == ("postgres", "valkey", "kafka")


def test_an_optional_engine_that_another_service_brings_in_is_used() -> None:
    found = choice.select(ALL, ("gateway", "relay"))
    assert found.engines == ("postgres", "valkey", "kafka")
    assert "kafka" in needs(found, "gateway")


@given(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
def test_whatever_runs_has_what_it_needs_and_whatever_does_not_is_named(only: list[str]) -> None:
    found = choice.select(ALL, only)
    there = names(found) | {need for need, engine in choice.ENGINES.items() if engine in found.engines}
    assert all(set(manifest.needs) <= there for manifest in found.services)
    off = [each.name for each in found.off]
    assert sorted([*off, *names(found), *found.engines]) == sorted([*NAMES, *choice.ALL_ENGINES])
    assert all(each.purpose for each in found.off)


@pytest.mark.parametrize(
    ("only", "said"),
    [
        (("gatway",), "no service 'gatway': did you mean gateway?"),
        (("zzz",), "no service 'zzz'."),
        (("postgres",), "postgres is an engine: engines follow from the services that need them."),
        (("apy", "relais"), "'apy': did you mean api? There is no service 'relais': did you mean relay?"),
    ],
)
def test_an_unknown_name_gets_the_nearest_one(only: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        choice.select(ALL, only)
    assert said in caught.value.detail
    assert "choose from analytics, api, gateway" in str(caught.value.next_step)


def test_the_layout_has_ports_and_addresses_of_the_chosen_alone(tmp_path: Path) -> None:
    wishes = Wishes(instances={"api": 1, "gateway": 1}, only=("api", "gateway"))
    plan = layout.design(ALL, wishes, Credentials(tmp_path / "secrets"), lambda: 0)
    assert plan.engine_ports == {"postgres": 5432, "valkey": 6379}
    assert plan.engines == ["postgres", "valkey"]
    assert plan.urls.keys() == {"api", "gateway"}
    keys = {key for each in plan.services for key in each.environment}
    assert not [key for key in keys if "KAFKA" in key or "ANALYTICS" in key]
    assert layout.fixed_ports(ALL, wishes).keys() == plan.ports().keys()


def test_more_processes_of_a_service_that_was_not_chosen_are_refused(tmp_path: Path) -> None:
    wishes = Wishes(instances={"relay": 2}, only=("api",))
    with pytest.raises(EnvironmentBroken, match="of relay was asked for, but only api is to run") as caught:
        layout.design(ALL, wishes, Credentials(tmp_path / "secrets"), lambda: 0)
    assert caught.value.next_step == "choose it too: `signalink up --only api,relay`"


def test_the_last_choice_is_kept_and_a_file_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state").open()
    assert control.kept(folder) == ()
    for text, found in (('{"only": ["api"]}', ("api",)), ("{}", ()), ("[]", ()), ("x", ()), ('{"only": "api"}', ())):
        folder.run_file.write_text(text)
        assert control.kept(folder) == found
    folder.run_file.write_text(json.dumps({"only": []}))
    assert control.kept(folder) == ()


def test_the_time_of_a_start_tells_nothing_of_one_with_other_services() -> None:
    assert starts.shape(Wishes(only=("api",))) != starts.shape(Wishes())
    assert starts.shape(Wishes(only=("api", "gateway"))) == starts.shape(Wishes(only=("gateway", "api")))
