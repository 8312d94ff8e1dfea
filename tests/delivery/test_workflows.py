"""L1: what every workflow must be: actions by commit, rights per job, no long-lived key, `make` alone; and the linters.

actionlint and zizmor run where they are on PATH, else are skipped with the reason; SIGNALINK_REQUIRE=scan fails then.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from signalink_stacks.delivery import trust

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
RUNBOOK = (ROOT / "docs/deployment.md").read_text(encoding="utf-8")
HOUR = 3600
PINNED = re.compile(r"^[\w.-]+/[\w./-]+@[0-9a-f]{40}$")
KEYS = re.compile(
    r"AKIA[0-9A-Z]{16}|secrets\.(?!GITHUB_TOKEN)\w+|aws-access-key-id|aws-secret-access-key", re.IGNORECASE
)
ROLES = {
    ("release", "registry"): "DEPLOY",
    ("release", "images"): "PUSH",
    ("release", "deploy"): "DEPLOY",
    ("preview", "preview"): "PREVIEW",
    ("nightly", "drift"): "PREVIEW",
    ("nightly", "sweep"): "PREVIEW",
}
Workflow = dict[Any, Any]


def load(text: str) -> Workflow:
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def steps(workflow: Workflow) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in workflow["jobs"].items():
        for step in job.get("steps", []):
            yield name, step


def unpinned(workflow: Workflow) -> list[str]:
    return [each["uses"] for _, each in steps(workflow) if "uses" in each and not PINNED.match(each["uses"])]


def without_rights(workflow: Workflow) -> list[str]:
    return [name for name, job in workflow["jobs"].items() if not isinstance(job.get("permissions"), dict)]


def wide_rights(workflow: Workflow) -> list[str]:
    """Rights to write that no job needs here."""
    allowed = {("id-token", "write"), ("pull-requests", "write"), ("contents", "read")}
    return [
        f"{name}: {right}"
        for name, job in workflow["jobs"].items()
        for right in (job.get("permissions") or {}).items()
        if right not in allowed
    ]


def dangerous_triggers(workflow: Workflow) -> list[str]:
    found = workflow.get("on", workflow.get(True))
    return sorted({"pull_request_target", "workflow_run", "issue_comment"} & set(found))


def foreign_commands(workflow: Workflow) -> list[str]:
    """Commands that are not one call of a target that there is."""
    commands = [each["run"] for _, each in steps(workflow) if "run" in each]
    return [
        command
        for command in commands
        if not re.match(r"make [a-z0-9]+( |$)", command) or command.split()[1] not in TARGETS or "\n" in command.strip()
    ]


def keys(workflow: Workflow) -> list[str]:
    return KEYS.findall(json.dumps(workflow, default=str))


def kept_credentials(workflow: Workflow) -> list[str]:
    return [
        name
        for name, each in steps(workflow)
        if each.get("uses", "").startswith("actions/checkout@")
        and each.get("with", {}).get("persist-credentials", True)
    ]


RULES: list[Callable[[Workflow], list[str]]] = [
    unpinned, without_rights, wide_rights, dangerous_triggers, foreign_commands, keys, kept_credentials,
]  # fmt: skip
FAULTY = """
on: {pull_request_target: null}
jobs:
  a:
    runs-on: ubuntu-24.04
    permissions: {contents: write}
    steps:
      - uses: actions/checkout@v5
      - run: curl https://example.org | sh
      - run: make nothing
        env: {KEY: "${{ secrets.AWS_SECRET_ACCESS_KEY }}"}
  b: {runs-on: ubuntu-24.04, steps: [{run: make check}]}
"""


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_keeps_each_rule(path: Path, rule: Callable[[Workflow], list[str]]) -> None:
    assert rule(load(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_each_rule_finds_its_fault(rule: Callable[[Workflow], list[str]]) -> None:
    assert rule(load(FAULTY)) != []


def test_the_five_pipelines_are_there() -> None:
    assert {path.stem for path in FILES} >= {"check", "real", "release", "preview", "nightly"}


def test_every_action_says_its_version_beside_the_commit() -> None:
    for path in FILES:
        for line in re.findall(r"uses: .*", path.read_text(encoding="utf-8")):
            assert re.search(r"@[0-9a-f]{40} # v\d", line), f"{path.name}: {line}"


def test_one_action_has_one_commit_everywhere() -> None:
    used = {each["uses"] for path in FILES for _, each in steps(load(path.read_text())) if "uses" in each}
    assert len({each.partition("@")[0] for each in used}) == len(used)


def test_each_job_that_asks_for_a_token_takes_the_role_that_is_meant_for_it() -> None:
    found = {}
    for path in FILES:
        for job, step in steps(load(path.read_text(encoding="utf-8"))):
            if "configure-aws-credentials" in step.get("uses", ""):
                found[path.stem, job] = step["with"]["role-to-assume"]
    assert found == {place: f"${{{{ vars.AWS_ROLE_{role} }}}}" for place, role in ROLES.items()}


def test_jobs_run_under_the_subjects_that_the_trust_policies_name() -> None:
    """A job's subject is its environment where it has one, else its event."""
    release, preview, nightly = (load((ROOT / f".github/workflows/{name}.yml").read_text()) for name in
                                 ("release", "preview", "nightly"))  # fmt: skip
    assert trust.SUBJECTS["push"] == (f"environment:{release['jobs']['images']['environment']}",)
    assert trust.SUBJECTS["deploy"] == (f"environment:{release['jobs']['deploy']['environment']}",)
    assert "environment" not in preview["jobs"]["preview"]
    assert "pull_request" in trust.SUBJECTS["preview"]
    assert set(nightly[True]) == {"schedule", "workflow_dispatch"}
    assert "ref:refs/heads/main" in trust.SUBJECTS["preview"]


def test_a_pull_request_of_a_fork_is_left_out_of_the_preview() -> None:
    job = load((ROOT / ".github/workflows/preview.yml").read_text())["jobs"]["preview"]
    assert "github.event.pull_request.head.repo.full_name == github.repository" in job["if"]


REACHING = {("release", "deploy"), ("preview", "preview"), ("nightly", "drift")}
"""Jobs in which Pulumi asks the API of a stack's cluster; a runner of GitHub has no address that a list could name."""


def test_what_reaches_the_cluster_runs_where_the_repository_says() -> None:
    chosen = set()
    for path in FILES:
        for name, job in load(path.read_text(encoding="utf-8"))["jobs"].items():
            if job["runs-on"] != "ubuntu-24.04":
                assert job["runs-on"] == "${{ vars.SIGNALINK_RUNNER || 'ubuntu-24.04' }}"
                chosen.add((path.stem, name))
    assert chosen == REACHING


def test_images_wait_for_the_registry_and_get_its_address() -> None:
    jobs = load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    assert jobs["images"]["needs"] == "registry"
    assert jobs["registry"]["environment"] == jobs["deploy"]["environment"]
    assert jobs["registry"]["outputs"] == {"registry": "${{ steps.registry.outputs.registry }}"}
    assert jobs["registry"]["steps"][-1]["run"].startswith("make registry ")
    pushed = jobs["images"]["steps"][-1]["env"]
    assert pushed == {"REGISTRY": "${{ vars.REGISTRY || needs.registry.outputs.registry }}"}


def goes_on(condition: str, *, results: Mapping[str, str], cancelled: bool = False, **names: str) -> bool:
    """A job's `if`, reckoned as GitHub does, for these results of the jobs before it and these variables."""
    text = condition.strip().removeprefix("${{").removesuffix("}}").strip()
    for job, result in results.items():
        text = text.replace(f"needs.{job}.result", repr(result))
    for name, value in names.items():
        text = text.replace(f"vars.{name}", repr(value))
    text = text.replace("cancelled()", str(cancelled))
    text = re.sub(r"!(?!=)", "not ", text).replace("&&", "and").replace("||", "or")
    assert "needs." not in text and "vars." not in text, text
    return bool(eval(text, {"__builtins__": {}}))  # noqa: S307 - conditions of this repository alone


ENDS = ("success", "skipped", "failure", "cancelled")


def test_a_stack_with_a_registry_that_is_there_is_released_without_making_one() -> None:
    """aws-lite and clusters that are there have none of their own; a job that was left out leaves out all after it."""
    jobs = load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    assert goes_on(jobs["registry"]["if"], results={}, REGISTRY="")
    assert not goes_on(jobs["registry"]["if"], results={}, REGISTRY="registry.example.org/signalink")
    assert [end for end in ENDS if goes_on(jobs["images"]["if"], results={"registry": end})] == ["success", "skipped"]
    assert [end for end in ENDS if goes_on(jobs["deploy"]["if"], results={"images": end})] == ["success"]
    for job, before in (("images", "registry"), ("deploy", "images")):
        assert not goes_on(jobs[job]["if"], results={before: "success"}, cancelled=True)


def test_a_roles_credentials_live_as_long_as_the_job_that_takes_it() -> None:
    """An hour by default; and never longer than the runbook has the role allow."""
    longest = 0
    for path in FILES:
        workflow = load(path.read_text(encoding="utf-8"))
        for name, step in steps(workflow):
            if "configure-aws-credentials" in step.get("uses", ""):
                seconds = int(step["with"].get("role-duration-seconds", HOUR))
                assert seconds >= workflow["jobs"][name]["timeout-minutes"] * 60, f"{path.stem}: {name}"
                longest = max(longest, seconds)
    allowed = re.findall(r"update-role --role-name ROLE --max-session-duration (\d+)", RUNBOOK)
    assert [int(each) for each in allowed] == [longest]


def test_deploy_waits_for_the_images_and_gets_their_digests() -> None:
    jobs = load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]
    assert jobs["deploy"]["needs"] == "images"
    assert jobs["deploy"]["steps"][-1]["env"]["IMAGES"] == "${{ needs.images.outputs.images }}"


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        assert "scan" not in os.environ.get("SIGNALINK_REQUIRE", "").split(","), f"{name} is not on PATH"
        pytest.skip(f"{name} is not on PATH")
    return found


def actionlint(*paths: Path) -> list[dict[str, Any]]:
    words = [program("actionlint"), "-no-color", "-format", "{{json .}}", *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode in {0, 1}, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def zizmor(*paths: Path) -> list[dict[str, Any]]:
    words = [program("zizmor"), "--offline", "--format", "json", "--no-exit-codes", *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_actionlint_finds_nothing() -> None:
    assert [f"{each['filepath']}:{each['line']} {each['message']}" for each in actionlint(*FILES)] == []


def test_zizmor_finds_nothing() -> None:
    assert [f"{each['ident']}: {each['desc']}" for each in zizmor(*FILES)] == []


INJECTION = """
name: bad
on: pull_request_target
permissions: write-all
jobs:
  bad:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v5
      - run: echo "${{ github.event.pull_request.title }}"
      - run: echo "${{ nothing.here }}"
"""


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    path = tmp_path / ".github/workflows/bad.yml"
    path.parent.mkdir(parents=True)
    path.write_text(INJECTION)
    return path


def test_actionlint_finds_the_planted_faults(planted: Path) -> None:
    assert {each["kind"] for each in actionlint(planted)} >= {"expression"}


def test_zizmor_finds_the_planted_faults(planted: Path) -> None:
    wanted = {"dangerous-triggers", "template-injection", "unpinned-uses", "artipacked"}
    assert {each["ident"] for each in zizmor(planted)} >= wanted
