"""How people outside a cluster come in: what a Service opens, whom the policies let in, and what a user reads of it."""

import pytest
from charting import RELEASE, UMBRELLA, Rendered, Values, render

PUBLIC = ("api", "gateway", "analytics", "notifications")
NODES: Values = {"networkPolicy": {"httpFrom": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "10.1.0.0/16"}}]}}


def http_rule(rendered: Rendered, port: int) -> list[dict[str, object]]:
    rules = rendered.one("NetworkPolicy")["spec"]["ingress"]
    (found,) = [rule["from"] for rule in rules if rule["ports"] == [{"port": port}]]
    return list(found)


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_only_the_http_port_is_opened_to_the_outside(name: str, kind: str) -> None:
    service = {"type": kind, "nodePort": 30080, "externalTrafficPolicy": "Local", "annotations": {"a": "b"}}
    inside, outside = render(name, {"service": service}).lasting("Service")
    assert (inside["spec"]["type"], [port["name"] for port in inside["spec"]["ports"]]) == (
        "ClusterIP",
        ["http", "metrics"],
    )
    (port,) = outside["spec"]["ports"]
    assert (port["name"], port["nodePort"]) == ("http", 30080)
    assert outside["metadata"]["name"] == f"{RELEASE}-{name}-public"
    assert outside["metadata"]["annotations"] == {"a": "b"}
    assert "annotations" not in inside["metadata"]
    assert (outside["spec"]["type"], outside["spec"]["externalTrafficPolicy"]) == (kind, "Local")
    assert outside["spec"]["selector"] == inside["spec"]["selector"]


@pytest.mark.parametrize("name", PUBLIC)
def test_who_comes_by_a_node_port_is_let_in_by_address_to_the_http_port_alone(name: str) -> None:
    rendered = render(name, {"service": {"type": "NodePort"}} | NODES)
    (port,) = rendered.lasting("Service")[1]["spec"]["ports"]
    number = port["port"]
    assert {"ipBlock": {"cidr": "10.1.0.0/16"}} in http_rule(rendered, number)
    others = [rule for rule in rendered.one("NetworkPolicy")["spec"]["ingress"] if rule["ports"] != [{"port": number}]]
    assert "ipBlock" not in str(others)


@pytest.mark.parametrize(
    ("values", "warned"),
    [
        ({}, False),
        ({"service": {"type": "NodePort"}}, True),
        ({"service": {"type": "LoadBalancer", "externalTrafficPolicy": "Local"}}, True),
        ({"service": {"type": "NodePort"}} | NODES, False),
        ({"service": {"type": "NodePort"}, "networkPolicy": {"enabled": False}}, False),
    ],
)
def test_the_notes_warn_when_a_policy_keeps_those_out_who_were_to_come_in(values: Values, warned: bool) -> None:
    alone, whole = render("api", values).notes, render(UMBRELLA, {"api": values}).notes
    for notes in (alone, whole):
        assert ("WARNING: nobody comes in by" in notes) is warned
        assert ("ipBlock: {cidr: ADDRESSES/BITS}" in notes) is warned


WAY: Values = {"mode": "ingress", "host": "chat.example.org", "tlsSecret": "chat-tls"}
TOLD = {"api": "https://chat.example.org", "gateway": "wss://chat.example.org/v1/socket"}


@pytest.mark.parametrize("name", ["api", "gateway"])
@pytest.mark.parametrize(
    ("urls", "warned"),
    [
        ({}, True),
        (TOLD, False),
        ({name: url.replace("s:", ":") for name, url in TOLD.items()}, True),
        ({name: url.replace(".org", ".org:8443") for name, url in TOLD.items()}, False),
        ({name: url.replace("chat", "old") for name, url in TOLD.items()}, True),
    ],
)
def test_the_notes_say_what_people_type_and_warn_when_they_are_told_another_address(
    name: str, urls: dict[str, str], warned: bool
) -> None:
    values = {"ingress": WAY, "global": {"publicUrls": urls}}
    alone = render(name, values).notes
    whole = render(UMBRELLA, {name: {"ingress": WAY}, "global": values["global"]}).notes
    for notes in (alone, whole):
        assert (f"Address: {TOLD[name]}" in notes) or (not warned and f"Address: {urls[name]}" in notes)
        assert (f"WARNING: global.publicUrls.{name} is" in notes) is warned
        assert (f"      {name}: {TOLD[name]}\n" in notes) is warned


def test_an_address_that_people_are_not_told_needs_none() -> None:
    assert "WARNING" not in render("analytics", {"ingress": WAY, "global": {"publicUrls": {"analytics": ""}}}).notes


def test_the_notes_of_the_whole_say_where_people_go_and_how_promises_are_shown() -> None:
    notes = render(UMBRELLA).notes
    for service, port in {"api": 8000, "gateway": 8001, "analytics": 8003, "notifications": 8004}.items():
        assert f"port-forward service/{RELEASE}-{service} {port}" in notes
    assert "helm --namespace signalink test chat" in notes
    assert "kubectl apply --server-side --force-conflicts -f operator/crds/" in notes
    few = render(UMBRELLA, {"notifications": {"enabled": False}, "tags": {"observability": True}}).notes
    assert f"service/{RELEASE}-notifications" not in few
    assert f"port-forward service/{RELEASE}-grafana 3000" in few


def test_the_notes_of_the_whole_are_read_although_no_chart_below_it_is_installed() -> None:
    parts = (*PUBLIC, "operator", "prober", "relay", "postgres", "valkey", "kafka")
    none = render(UMBRELLA, {name: {"enabled": False} for name in parts})
    assert "is release chat in namespace signalink" in none.notes
    assert none.objects == ()
