"""The table of security groups: one door for the world, and no door that nobody needs."""

from signalink_core.manifest import load
from signalink_stacks.lib import doors
from signalink_stacks.lib.images import root


def test_the_world_gets_https_of_the_public_load_balancer_and_nothing_else() -> None:
    assert [(door.group, door.first, door.last) for door in doors.open_to_the_world()] == [("alb", 443, 443)]
    planted = doors.Door("nodes", doors.WORLD, 22, 22, "ssh")
    assert planted in doors.open_to_the_world((*doors.TABLE, planted))


def test_every_group_of_a_door_is_there_and_every_group_but_the_links_is_behind_one() -> None:
    named = {door.group for door in doors.TABLE} | {door.source for door in doors.TABLE if door.from_group}
    assert named == set(doors.GROUPS)
    assert {door.group for door in doors.TABLE} == set(doors.GROUPS) - {"link"}


def test_backing_services_are_reached_by_nodes_alone_and_call_nobody() -> None:
    for engine in ("postgres", "redis", "kafka"):
        assert {door.source for door in doors.TABLE if door.group == engine} == {"nodes"}
        assert doors.towards(engine) == []
        assert engine not in doors.OUT


def test_a_way_out_has_a_door_at_its_other_end() -> None:
    for group, targets in doors.OUT.items():
        reached = {door.group for door in doors.towards(group)}
        assert reached == {target for target in targets if target != doors.WORLD}


def test_the_group_of_the_cluster_has_every_door_of_nodes_but_the_one_within() -> None:
    again = {(door.group, door.source, door.first, door.last) for door in doors.of_cluster()}
    named = {"nodes": doors.CLUSTER}
    assert again == {
        (named.get(door.group, door.group), named.get(door.source, door.source), door.first, door.last)
        for door in doors.TABLE
        if "nodes" in (door.group, door.source) and door.group != door.source
    }
    assert {group for group, source, *_ in again if source == doors.CLUSTER} == {
        "postgres",
        "redis",
        "kafka",
        "endpoints",
    }
    assert {source for group, source, *_ in again if group == doors.CLUSTER} == {"alb", "internal"}


def test_the_load_balancers_reach_the_ports_that_services_have() -> None:
    manifests = [load(path) for path in root().glob("services/*/service.toml")]
    public = {manifest.ports.http for manifest in manifests if manifest.ports.http is not None}
    internal = {manifest.ports.metrics for manifest in manifests if manifest.ports.http is not None}
    assert (min(public), max(public)) == doors.POD_PORTS
    assert (min(internal), max(internal)) == doors.READY_PORTS
