"""What the eks stack adds to a service's NetworkPolicy takes no way out away; rendered by Helm where there is one."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from awsgraphs import ON_EKS, STACKS, of, recorded

from signalink_stacks.charts.vendoring import vendor
from signalink_stacks.lib.images import root

CREDENTIALS = "169.254.170.23/32"
SECONDS = 60


@pytest.mark.parametrize("stack", ON_EKS)
def test_mail_and_webhooks_leave_a_cluster_whose_pods_ask_for_credentials(stack: str, tmp_path: Path) -> None:
    (chart,) = [each for each in of(recorded(STACKS[stack]), "Chart") if each.name == "notifications-chart"]
    policy = chart.inputs["values"]["networkPolicy"]
    assert [rule["to"][0]["ipBlock"]["cidr"] for rule in policy["extraEgress"]] == [CREDENTIALS]
    assert "internet" not in chart.inputs["values"]
    if shutil.which("helm") is None:
        pytest.skip("helm is not on PATH")
    vendor(root() / "charts", tmp_path)
    given = json.dumps({"networkPolicy": policy, "global": {"devImages": True}})
    command = ["helm", "template", "chat", str(tmp_path / "notifications"), "--values", "-"]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=SECONDS, check=True)
    rendered = [each for each in yaml.safe_load_all(done.stdout) if each]
    (made,) = [each for each in rendered if each["kind"] == "NetworkPolicy"]
    opened = {rule["to"][0].get("ipBlock", {}).get("cidr"): rule["ports"] for rule in made["spec"]["egress"]}
    assert {443, 587} <= {port["port"] for port in opened["0.0.0.0/0"]}
    assert opened[CREDENTIALS] == [{"port": 80}]
