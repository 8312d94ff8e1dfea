"""What the values of a chart that watches point to can be reached by its pod, and nothing more."""

from typing import Any

import pytest
from charting import OBSERVERS, Rendered, Values, render


def told(text: str) -> Values:
    """A receiver of Slack whose messages have such a text."""
    return {"receivers": [{"name": "a", "slack_configs": [{"api_url_file": "/x", "text": text, "title_link": text}]}]}


OUTSIDE: list[tuple[str, Values, list[int]]] = [
    ("prometheus", {"alertmanagers": ["alerts.example.org:9094", "10.0.0.9:443"]}, [9094, 443]),
    ("grafana", {"prometheusUrl": "https://metrics.example.org/prom"}, [443]),
    ("grafana", {"prometheusUrl": "http://thanos.watch.svc:10902", "jaegerUrl": "http://traces"}, [10902, 80]),
    ("grafana", {"jaegerUrl": "https://user:word@traces.example.org:8443/x"}, [8443]),
    ("otel-collector", {"tracesTo": "tempo.example.org:4317"}, [4317]),
    ("alertmanager", {"receivers": [{"name": "a", "slack_configs": [{"api_url_file": "/x/y"}]}]}, [443]),
    ("alertmanager", {"receivers": [{"name": "a", "pagerduty_configs": [{"routing_key_file": "/x"}]}]}, [443]),
    ("alertmanager", {"receivers": [{"name": "a", "webhook_configs": [{"url": "http://hook.lab:5001/x"}]}]}, [5001]),
    ("alertmanager", {"receivers": [{"name": "a", "webhook_configs": [{"url_file": "/x/y"}]}]}, [443]),
    ("alertmanager", {"receivers": [{"name": "a", "email_configs": [{"smarthost": "mail.lab:587"}]}]}, [587]),
    ("alertmanager", told("https://{{ .CommonLabels.cluster }}.example.org/d/1"), [443]),
    ("alertmanager", told("See <https://wiki.example.org|the wiki> or http://wiki:81 for more"), [443]),
    ("alertmanager", {"receivers": [{"name": "a", "slack_configs": [{"api_url": "http://r.lab:81/x"}]}]}, [81, 443]),
    ("alertmanager", {"receivers": [{"name": "a", "discord_configs": [{"webhook_url": "https://d:84"}]}]}, [443, 84]),
    ("alertmanager", {"receivers": [{"name": "a", "webhook_configs": [{"url": "https://[2001:db8::1]/"}]}]}, [443]),
    (
        "alertmanager",
        {
            "receivers": [
                {
                    "name": "a",
                    "webhook_configs": [{"url": "https://a.lab", "http_config": {"proxy_url": "http://p:3128"}}],
                },
                {"name": "b", "email_configs": [{"smarthost": "[2001:db8::1]:25"}]},
            ]
        },
        [25, 3128, 443],
    ),
]


def outward(rendered: Rendered) -> list[dict[str, Any]]:
    """Rules that lead out of the namespace to any address."""
    rules = rendered.one("NetworkPolicy")["spec"]["egress"]
    return [
        rule
        for rule in rules
        if {"ipBlock": {"cidr": "0.0.0.0/0"}} in rule["to"] and {"port": 6443} not in rule["ports"]
    ]


@pytest.mark.parametrize(("chart", "values", "ports"), OUTSIDE)
def test_the_port_of_an_address_in_values_is_opened(chart: str, values: Values, ports: list[int]) -> None:
    (rule,) = outward(render(chart, values))
    assert sorted(port["port"] for port in rule["ports"]) == sorted(ports)
    assert {"namespaceSelector": {}} in rule["to"]
    assert {"ipBlock": {"cidr": "::/0"}} in rule["to"]


@pytest.mark.parametrize("chart", OBSERVERS)
def test_without_such_a_value_nothing_is_opened(chart: str) -> None:
    assert outward(render(chart)) == []
