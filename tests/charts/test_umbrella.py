"""What one chart of the umbrella is told alone, while others go on looking for it, is refused with the next step."""

import json
import re

import pytest
from charting import ENGINES, OBSERVERS, SERVICES, UMBRELLA, Refused, Values, merged, pods, render, values_at

NAMED = [
    (f"{chart}.{key}", "other")
    for chart, key in [("api", "fullnameOverride"), ("postgres", "nameOverride"), ("prober", "nameOverride")]
]
MOVED = [("api.ports.http", 8080), ("api.ports.metrics", 9200), ("relay.ports.metrics", 9200)]
WATCHED: Values = {"tags": {"observability": True}}
PARTS = [*SERVICES, *ENGINES, *OBSERVERS]
HELD = {"postgres": "postgres", "valkey": "redis", "kafka": "kafka"}


@pytest.mark.parametrize(("path", "value"), NAMED + MOVED)
def test_a_chart_stays_where_the_others_look_for_it(path: str, value: str | int) -> None:
    chart = path.split(".")[0]
    message = f"{path} is {value}: the other charts of this release"
    with pytest.raises(Refused, match=f"{re.escape(message)}.*install the chart {chart} as a release of its own"):
        render(UMBRELLA, merged(WATCHED, values_at(path, value)))


def test_ports_that_only_our_prometheus_looks_for_are_free_without_it() -> None:
    for path, value in MOVED[1:]:
        assert render(UMBRELLA, values_at(path, value)).objects


def namers(name: str) -> set[str]:
    """Charts of a whole release whose objects name what belongs to this one."""
    word = re.compile(rf"\bchat-{name}\b")
    return {
        str(one["metadata"]["labels"]["app.kubernetes.io/name"])
        for one in render(UMBRELLA, WATCHED).objects
        if word.search(json.dumps(one))
    } - {name}


@pytest.mark.parametrize("chart", PARTS)
def test_whom_others_look_for_keeps_its_name_in_the_whole_and_may_have_another_alone(chart: str) -> None:
    whole = merged(WATCHED, {chart: {"fullnameOverride": "mine"}})
    if namers(chart):
        with pytest.raises(Refused, match=f"{chart}.fullnameOverride is mine"):
            render(UMBRELLA, whole)
    else:
        assert any(one["metadata"]["name"] == "mine" for one in render(UMBRELLA, whole).objects)
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
    path = f"global.bindings.{engine}.passwordSecret.name"
    with pytest.raises(Refused, match=f"look for its word in the Secret others, which the chart {chart} does not use"):
        render(UMBRELLA, merged(own, values_at(path, "others")))
    told = merged(own, values_at(path, "theirs"))
    assert secrets_of(told) == {"theirs", *(f"chat-{other}-auth" for other in {*HELD} - {chart})}


@pytest.mark.parametrize("chart", HELD)
def test_a_secret_of_the_users_own_may_have_the_name_that_is_looked_for(chart: str) -> None:
    values = {chart: {"auth": {"existingSecret": f"chat-{chart}-auth"}}}
    assert secrets_of(values) == {f"chat-{other}-auth" for other in HELD}
    assert f"chat-{chart}-auth" not in {one["metadata"]["name"] for one in render(UMBRELLA, values).of("Secret")}


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
