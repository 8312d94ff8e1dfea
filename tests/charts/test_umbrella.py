"""What one chart of the umbrella is told alone, while others go on looking for it, is refused with the next step."""

import re

import pytest
from charting import ENGINES, OBSERVERS, SERVICES, UMBRELLA, Refused, Values, merged, pods, render, values_at

NAMED = [
    (f"{chart}.{key}", "other")
    for chart, key in [("api", "fullnameOverride"), ("postgres", "nameOverride"), ("prober", "nameOverride")]
]
MOVED = [("api.ports.http", 8080), ("api.ports.metrics", 9200), ("relay.ports.metrics", 9200)]
WATCHED: Values = {"tags": {"observability": True}}
HELD = {"postgres": "postgres", "valkey": "redis", "kafka": "kafka"}


@pytest.mark.parametrize(("path", "value"), NAMED + MOVED)
def test_a_chart_stays_where_the_others_look_for_it(path: str, value: str | int) -> None:
    chart = path.split(".")[0]
    message = f"{path} is {value}: the other charts of this release"
    with pytest.raises(Refused, match=f"{re.escape(message)}.*install the chart {chart} as a release of its own"):
        render(UMBRELLA, values_at(path, value))


@pytest.mark.parametrize("chart", [*SERVICES, *ENGINES, *OBSERVERS])
def test_each_of_them_keeps_its_name_in_the_whole_and_may_have_another_alone(chart: str) -> None:
    with pytest.raises(Refused, match=f"{chart}.fullnameOverride is mine"):
        render(UMBRELLA, merged(WATCHED, {chart: {"fullnameOverride": "mine"}}))
    assert render(chart, {"fullnameOverride": "mine"}).objects


def test_a_chart_that_is_off_may_be_told_anything() -> None:
    assert render(UMBRELLA, {"prober": {"enabled": False, "fullnameOverride": "mine", "ports": {"metrics": 1}}}).objects


def secrets_of(values: Values) -> set[str]:
    """Names of the Secrets that pods of services and their Jobs mount words of backing services from."""
    return {
        source["secret"]["name"]
        for _, _, spec in pods(render(UMBRELLA, values).objects)
        for volume in spec.get("volumes", ())
        for source in volume.get("projected", {}).get("sources", ())
        if any(item["key"].startswith(tuple(HELD.values())) for item in source.get("secret", {}).get("items", ()))
    }


@pytest.mark.parametrize("chart", HELD)
def test_a_secret_of_the_users_own_is_named_to_everybody(chart: str) -> None:
    engine, own = HELD[chart], {chart: {"auth": {"existingSecret": "theirs"}}}
    message = f"{chart}.auth.existingSecret is theirs: .* set global.bindings.{engine}.passwordSecret.name to theirs"
    with pytest.raises(Refused, match=message):
        render(UMBRELLA, own)
    told = merged(own, values_at(f"global.bindings.{engine}.passwordSecret.name", "theirs"))
    assert secrets_of(told) == {"theirs", *(f"chat-{other}-auth" for other in {*HELD} - {chart})}


def test_a_secret_that_each_service_is_told_of_is_enough() -> None:
    told = {name: {"bindings": {"redis": {"passwordSecret": {"name": "theirs"}}}} for name in SERVICES}
    assert "theirs" in secrets_of({"valkey": {"auth": {"existingSecret": "theirs"}}} | told)


def test_jobs_that_migrate_find_the_owners_word_beside_the_others() -> None:
    outside = {"provider": "external", "host": "db", "passwordSecret": {"name": "theirs"}}
    assert "chat-postgres-auth" not in secrets_of(
        {"postgres": {"enabled": False}, "global": {"bindings": {"postgres": outside}}}
    )
    apart = {"migrations": {"database": {"passwordSecret": {"name": "owners"}}}}
    assert "owners" in secrets_of(merged({"global": {"bindings": {"postgres": outside}}}, {"api": apart}))
