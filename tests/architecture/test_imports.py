"""Who imports whom: the import-linter contracts of pyproject.toml hold, and each one breaks on a planted import."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from house.sources import ROOT, Tree

Sample = Callable[[dict[str, str]], Tree]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETTINGS = PYPROJECT["tool"]["importlinter"]
PLANTED = [
    ("parts", "signalink_core/a.py", "import signalink_api"),
    ("parts", "signalink_relay/a.py", "import signalink_gateway"),
    ("parts", "signalink_api/a.py", "import signalink_labs"),
    ("parts", "signalink_stacks/a.py", "import signalink_operator"),
    ("aiokafka", "signalink_core/log.py", "import aiokafka"),
    ("aiokafka", "signalink_relay/a.py", "from aiokafka import AIOKafkaProducer"),
    ("confluent", "signalink_operator/plans/a.py", "import confluent_kafka"),
    ("confluent", "signalink_stacks/a.py", "from confluent_kafka.admin import AdminClient"),
    ("prometheus", "signalink_gateway/hub.py", "from prometheus_client import Counter"),
    ("web", "signalink_gateway/a.py", "from signalink_core.web import answers"),
    ("features", "signalink_api/channels/repository.py", "from signalink_api.channels import service"),
    ("features", "signalink_api/channels/service.py", "from signalink_api.channels import endpoints"),
    ("operator", "signalink_operator/plans/topic.py", "from signalink_operator import adapters"),
    ("operator", "signalink_operator/model.py", "from signalink_operator import plans"),
    ("plans", "signalink_operator/plans/topic.py", "import time"),
    ("plans", "signalink_operator/plans/topic.py", "from pathlib import Path"),
    ("cloud", "signalink_stacks/doctor/a.py", "import boto3"),
    ("cloud", "signalink_core/settings.py", "import botocore"),
    ("stacks", "signalink_stacks/lib/a.py", "from signalink_stacks.components import contracts"),
    ("stacks", "signalink_stacks/components/contracts.py", "from signalink_stacks.layers import apps"),
    ("pulumi", "signalink_stacks/lib/a.py", "import pulumi"),
    ("pulumi", "signalink_stacks/clusters/a.py", "from signalink_stacks.layers import apps"),
]
CLEAN = {
    "signalink_core/kafka/__init__.py": "import aiokafka",
    "signalink_core/telemetry/__init__.py": "import prometheus_client",
    "signalink_core/settings.py": "",
    "signalink_core/web/__init__.py": "",
    "signalink_core/web/answers.py": "import fastapi",
    "signalink_operator/adapters/__init__.py": "import confluent_kafka\nfrom signalink_operator import model, plans",
    "signalink_operator/plans/__init__.py": "from signalink_operator import model",
    "signalink_operator/plans/topic.py": "",
    "signalink_operator/model.py": "",
    "signalink_api/channels/__init__.py": "",
    "signalink_api/channels/endpoints.py": "from signalink_api.channels import service",
    "signalink_api/channels/service.py": "from signalink_api.channels import repository",
    "signalink_api/channels/repository.py": "from signalink_core import kafka",
    "signalink_relay/__main__.py": "from signalink_core import kafka",
    **{
        f"signalink_stacks/{name}/__init__.py": ""
        for name in ("charts", "clusters", "containers", "doctor", "lib", "local")
    },
    "signalink_stacks/cloud/__init__.py": "",
    "signalink_stacks/cloud/clients.py": "import boto3, botocore",
    "signalink_stacks/components/__init__.py": "import pulumi",
    "signalink_stacks/components/contracts.py": "from signalink_stacks import lib",
    "signalink_stacks/layers/__init__.py": "",
    "signalink_stacks/layers/apps.py": "from signalink_stacks.components import contracts",
    "signalink_labs/cli.py": "import signalink_stacks, signalink_core",
}


def lint(folder: Path, *only: str) -> tuple[int, str]:
    """Runs import-linter with the repository's contracts on the packages found first under `folder`."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo"]
    command += ["--config", str(ROOT / "pyproject.toml"), *(part for name in only for part in ("--contract", name))]
    ran = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, timeout=60
    )
    return ran.returncode, ran.stdout + ran.stderr


def packages(files: dict[str, str]) -> dict[str, str]:
    return {f"{package}/__init__.py": "" for package in SETTINGS["root_packages"]} | CLEAN | files


def test_the_tree_keeps_every_contract() -> None:
    code, output = lint(ROOT)
    assert code == 0, output


def test_a_clean_sample_keeps_every_contract(sample: Sample) -> None:
    code, output = lint(sample(packages({})).root)
    assert code == 0, output


@pytest.mark.parametrize(("contract", "path", "code"), PLANTED)
def test_a_planted_import_breaks_its_contract(contract: str, path: str, code: str, sample: Sample) -> None:
    status, output = lint(sample(packages({path: code})).root, contract)
    assert status == 1, output
    assert re.search(r"BROKEN", output)


def test_every_contract_has_a_planted_import() -> None:
    assert {contract["id"] for contract in SETTINGS["contracts"]} == {contract for contract, _, _ in PLANTED}


def test_every_shipped_package_is_under_the_contracts(tree: Tree) -> None:
    found = {path.parent.name for path in tree.product() if path.name == "__init__.py" and path.parent.parent.parent}
    shipped = {Path(path).name for path in PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    top = {name for name in found if name.startswith("signalink_")}
    assert top == shipped == set(SETTINGS["root_packages"]) == set(PYPROJECT["tool"]["mypy"]["packages"]) - {"house"}
    layers = " ".join(next(item for item in SETTINGS["contracts"] if item["id"] == "parts")["layers"])
    assert top <= set(re.findall(r"signalink_\w+", layers))
