"""The runbook's restore of RDS, on the engine: the stack takes over another instance of the same name.

A stand-in of AWS keeps no instances, so the restored one is made on moto, which answers `make adopt` alone.
"""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import httpx

from signalink_core.testing import eventually
from signalink_stacks.local.ports import free_port

ROOT: Final = Path(__file__).resolve().parents[3]
STACK, NAME = "restored", "signalink-restored-postgres"
SECONDS: Final = 60
PROGRAM: Final = f"""
import sys
sys.path[:0] = [{str(ROOT / "stacks")!r}, {str(ROOT / "services/core")!r}]
import pulumi, pulumi_aws as aws
from signalink_stacks.components.aws import rds
from signalink_stacks.lib import grants
mine = aws.Provider("mine", region="us-east-1")
made = rds.Rds("postgres", rds.RdsArgs(
    identifier={NAME!r}, subnet_ids=["subnet-1", "subnet-2"], group_id="sg-1", machine="db.t4g.micro",
    storage_gib=20, key_arn="arn:aws:kms:us-east-1:0:key/1-2", standby=False, backup_days=7, prod=True, protect=True,
    log_days=7, tags={{}},
), pulumi.ResourceOptions(providers=[mine]))
api = made.resource_id.apply(
    lambda id: grants.document(grants.postgres("api", region="us-east-1", account="0", resource_id=id)))
aws.iam.RolePolicy("api", role="api", policy=pulumi.Output.json_dumps(api),
                   opts=pulumi.ResourceOptions(provider=mine))
"""
CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}


class Engine(Protocol):
    folder: Path
    environment: Mapping[str, str]

    def run(self, *words: str, cwd: Path | None = None, fails: bool = False) -> str: ...


def prove(engine: Engine, folder: Path) -> str:
    """Up, the instance replaced behind the engine's back, adopted, refreshed, up. RuntimeError when it is not right."""
    (folder / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    engine.run("stack", "init", STACK, cwd=folder)
    engine.run("up", "--yes", "--skip-preview", "-s", STACK, cwd=folder)
    try:
        return _taken_over(engine, folder)
    finally:
        engine.run("destroy", "--yes", "--skip-preview", "-s", STACK, cwd=folder)


def _taken_over(engine: Engine, folder: Path) -> str:
    before = _resources(engine, folder)
    old = before["postgres-instance"]["id"]
    with Cloud(folder) as cloud:
        new = cloud.restore()
        said = [_adopt(engine, cloud.address) for _ in range(2)]
    if f"has {new} in place of {old}" not in said[0] or "nothing was changed" not in said[1]:
        raise RuntimeError(f"adopt said {said}")
    engine.run("refresh", "--yes", "--skip-preview", "-s", STACK, cwd=folder)
    steps = json.loads(engine.run("preview", "--json", "-s", STACK, cwd=folder))["steps"]
    ops = {each["urn"].rpartition("::")[2]: each["op"] for each in steps if each["op"] != "same"}
    if ops != {"api": "update"}:
        raise RuntimeError(f"after it, up would do {ops}")
    engine.run("up", "--yes", "--skip-preview", "-s", STACK, cwd=folder)
    after = _resources(engine, folder)
    role = json.dumps(after["api"]["inputs"])
    if after.keys() != before.keys() or after["postgres-instance"]["id"] != new or f"dbuser:{new}/" not in role:
        raise RuntimeError(f"the instance is {after['postgres-instance']['id']}, the role says {role}")
    return f"{NAME} is another instance; the stack took it over, its role signs in there, nothing was made or renamed"


def _adopt(engine: Engine, address: str) -> str:
    env = {**engine.environment, **CREDENTIALS, "AWS_ENDPOINT_URL": address, "SIGNALINK_STATE": str(engine.folder)}
    command = [sys.executable, "-m", "signalink_stacks.delivery", "adopt", STACK]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise RuntimeError(f"adopt ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()


def _resources(engine: Engine, folder: Path) -> dict[str, dict[str, Any]]:
    document = json.loads(engine.run("stack", "export", "-s", STACK, cwd=folder))
    return {each["urn"].rpartition("::")[2]: each for each in document["deployment"]["resources"]}


class Cloud:
    """An account that is none, with RDS in it."""

    def __init__(self, folder: Path) -> None:
        self.address, self._log = f"http://127.0.0.1:{free_port()}", folder / "moto.log"

    def __enter__(self) -> "Cloud":
        port = self.address.rpartition(":")[2]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(["moto_server", "-H", "127.0.0.1", "-p", port], stdout=log, stderr=log)
        try:
            asyncio.run(eventually(self._answers, within=SECONDS))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.address}/moto-api/", timeout=5).is_success
        except httpx.TransportError:
            return False

    def restore(self) -> str:
        """The id of the instance that has the name now."""
        import boto3

        rds = boto3.client(
            "rds", region_name="us-east-1", endpoint_url=self.address,
            aws_access_key_id="testing", aws_secret_access_key="testing",
        )  # fmt: skip
        made = rds.create_db_instance(
            DBInstanceIdentifier=NAME, DBInstanceClass="db.t4g.micro", Engine="postgres", AllocatedStorage=20,
            MasterUsername="chief", ManageMasterUserPassword=True,
        )  # fmt: skip
        return str(made["DBInstance"]["DbiResourceId"])


def missing() -> str:
    """What keeps it from being run; empty when nothing does."""
    return "" if shutil.which("moto_server") else "moto_server is not on PATH"
