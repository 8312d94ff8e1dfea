"""The doctor's rules on made-up hosts: each says ok on a good one, and on a bad one what, why and the fix."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from signalink_stacks.doctor import checkup
from signalink_stacks.doctor.host import TARGETS, Account, Clock, Host, Leftover, Port, Program, State, Target
from signalink_stacks.doctor.rule import Finding, Verdict
from signalink_stacks.local.problems import EnvironmentBroken

GB = 2**30
STATE = State(Path("/srv/platform/.signalink"), version="1", mode=0o700, disk_free=50 * GB, file_system="ext4")
TOOLS = {
    "java": "openjdk 25", "postgres": "18.4", "valkey": "9.1.2", "docker": "28.1.0", "kind": "kind v0.29.0",
    "helm": "v3.18.2", "kubectl": "v1.33.1", "pulumi": "v3.170.0", "cluster": "v1.33.0", "aws": "aws-cli/2.31",
}  # fmt: skip
ACCOUNT = Account(
    number="123456789012",
    identity="arn:aws:iam::123456789012:user/ada",
    region="us-east-1",
    regions=frozenset({"us-east-1", "eu-central-1"}),
    plan={"type": "PAID", "status": "ACTIVE", "credits": None, "ends": ""},
    free_types=frozenset({"t3.micro", "t3.small", "t4g.micro", "t4g.small", "c7i-flex.large"}),
    budgets=("monthly",),
    quotas={"VPCs": (5, 1), "elastic addresses": (5, 0), "CPUs of standard instances": (32, 0)},
)
HEALTHY = Host(
    target="local",
    state=STATE,
    system="Linux",
    machine="x86_64",
    python=(3, 13),
    uid=1000,
    cpus=4.0,
    memory_free=16 * GB,
    open_files=65536,
    kernel={"fs.inotify.max_user_watches": 65536, "vm.max_map_count": 65530, "vm.overcommit_memory": 0},
    outgoing_ports=(32768, 60999),
    shm_free=GB,
    ports=(Port("postgres", 5432), Port("api-0 http", 8000)),
    programs={name: Program(version) for name, version in TOOLS.items()},
    jars=True,
    cache_free=50 * GB,
    clock=Clock(synchronised=True),
    image_store="overlay2",
    account=ACCOUNT,
    wheels={"pulumi": "3.170.0", "pulumi-aws": "7.51.1", "pulumi-kubernetes": "4.32.0"},
    plugins={"aws": ("7.51.1",), "kubernetes": ("4.31.0", "4.32.0")},
)


def state(**changes: Any) -> dict[str, Any]:
    return {"state": replace(STATE, **changes)}


def account(**changes: Any) -> dict[str, Any]:
    return {"account": replace(ACCOUNT, **changes)}


def free_plan(**changes: Any) -> dict[str, Any]:
    return account(plan={"type": "FREE", "status": "ACTIVE", "credits": 87.5, "ends": "2027-01-15"} | changes)


def program(name: str, version: str | None, problem: str = "") -> dict[str, Any]:
    return {"programs": {**HEALTHY.programs, name: Program(version, problem)}}


MB = 2**20
SMALL: dict[str, Any] = {"engines": ("postgres", "valkey")}
OK, WARN, FAIL = Verdict.OK, Verdict.WARN, Verdict.FAIL
# rule, what differs from the healthy host, verdict, words of what it says, words of the fix
BAD: list[tuple[str, dict[str, Any], Verdict, str, str]] = [
    ("python", {"python": (3, 10)}, FAIL, "This is Python 3.10", "make setup PYTHON="),
    ("python", {"python": (3, 15)}, FAIL, "3.11 to 3.14", "make clean"),
    ("java", program("java", None, "no such file"), FAIL, "does not run: no such file", "make setup"),
    ("engines", program("postgres", None, "libz.so.1 is missing"), FAIL, "postgres does not run: libz.so.1", "zlib1g"),
    ("downloads", {"jars": False}, WARN, "Kafka's jars are not here yet", "HTTPS_PROXY"),
    ("manifests", {"manifest_problem": ("x/service.toml: port?", "correct it")}, FAIL, "port?", "correct it"),
    ("file-watch", {"watch_problem": "no space left"}, WARN, "not noticed: no space left", "max_user_watches"),
    ("docker", program("docker", None, "it is not on PATH"), FAIL, "docker cannot be used: it is not", "systemctl"),
    ("docker", program("docker", "20.10.1"), WARN, "docker is 20.10.1; 24.0 is the oldest", "Docker Engine"),
    ("kind", program("kind", "kind v0.17.0"), WARN, "0.23 is the oldest", "kind.sigs.k8s.io"),
    ("helm", program("helm", None, "it is not on PATH"), FAIL, "helm cannot be used", "helm.sh"),
    ("kubectl", program("kubectl", "v1.20.0"), WARN, "1.28 is the oldest", "kubernetes.io"),
    ("pulumi", program("pulumi", None, "it is not on PATH"), FAIL, "pulumi cannot be used", "pulumi.com"),
    ("image-store", {"image_store": "overlayfs of containerd"}, WARN, "containerd image store", "--platform"),
    ("image-store", {"image_store": None}, WARN, "does not say", "start Docker"),
    ("cluster", program("cluster", None, "refused"), FAIL, "No cluster answers: refused", "kubectl config use-context"),
    ("aws", program("aws", None, "it is not on PATH"), FAIL, "aws cannot be used", "docs.aws.amazon.com/cli"),
    ("pulumi-versions", {"wheels": {}}, WARN, "environment is not there", "`make stacks`"),
    ("pulumi-versions", program("pulumi", "v3.169.0"), WARN, "is 3.169.0, its package 3.170.0", "plugin install"),
    ("pulumi-versions", {"plugins": {"aws": ("7.51.0",), "kubernetes": ("4.32.0",)}}, WARN,
     "plugin aws is 7.51.0, its package 7.51.1", "`pulumi plugin install resource aws 7.51.1`"),
    ("pulumi-versions", {"plugins": {}}, WARN, "plugin kubernetes is not there", "resource kubernetes 4.32.0"),
    ("aws-identity", {"account": Account(problems={"identity": "expired"})}, FAIL, "in: expired", "aws configure"),
    ("aws-identity", {"account": None}, FAIL, "was not asked", "AWS_PROFILE"),
    ("aws-region", account(region="ap-east-1"), FAIL, "region ap-east-1 is not enabled", "AWS_REGION"),
    ("aws-region", account(regions=None, problems={"regions": "AccessDenied"}), WARN, "say: AccessDenied", "console"),
    ("aws-plan", free_plan(), WARN, "free plan: 87.50 USD of credits until 2027-01-15", "signalink cost"),
    ("aws-plan", free_plan(credits=None, ends=""), WARN, "unknown amount of credits until an unknown day", "lite"),
    ("aws-plan", free_plan(status="EXPIRED"), FAIL, "plan FREE is EXPIRED", "upgrade"),
    ("aws-plan", account(plan=None, problems={"plan": "AccessDenied"}), WARN, "say: AccessDenied", "console"),
    ("aws-free-types", account(free_types=frozenset()), WARN, "No instance type is free", "signalink cost"),
    ("aws-free-types", account(free_types=None), WARN, "no identity to ask with", "console"),
    ("aws-budget", account(budgets=()), WARN, "has no budget", "aws budgets create-budget"),
    ("aws-budget", account(budgets=None), WARN, "does not say", "console"),
    ("aws-quotas", account(quotas=ACCOUNT.quotas | {"VPCs": (5, 5)}), FAIL, "VPCs: 5, 5 in use, 1 needed", "Quotas"),
    ("aws-quotas", account(quotas={"VPCs": (5, 0)}), WARN, "does not say", "console"),
    ("system", {"system": "Darwin"}, FAIL, "This is Darwin on x86_64", "virtual machine"),
    ("system", {"machine": "riscv64"}, FAIL, "riscv64", "virtual machine"),
    ("cpus", {"cpus": 0.5}, WARN, "0.5 CPU", "two CPUs"),
    ("memory", {"memory_free": GB // 2}, FAIL, "512 MB of memory are free", "more memory"),
    ("memory", {"memory_free": 200 * MB, **SMALL}, FAIL, "200 MB of memory are free; 448 MB", "more memory"),
    ("memory", {"memory_free": 300 * MB, **SMALL}, WARN, "256 MB the least", "end programs"),
    ("memory", {"memory_free": GB + 1}, WARN, "1024 MB of memory are free", "end programs"),
    ("open-files", {"open_files": 256}, FAIL, "may open 256 files", "`ulimit -n 4096`"),
    ("open-files", {"open_files": 1024}, WARN, "may open 1024 files", "`ulimit -n 4096`"),
    ("processes", {"processes": 100}, FAIL, "may run 100 processes", "ulimit -u 1600"),
    ("inotify", {"kernel": {"fs.inotify.max_user_watches": 100}}, WARN, "is 100", "max_user_watches=8192"),
    ("kernel", {"kernel": {"vm.max_map_count": 1000}}, WARN, "vm.max_map_count is 1000", "vm.max_map_count=65530"),
    ("kernel", {"kernel": {"vm.overcommit_memory": 2}}, WARN, "overcommit_memory is 2", "vm.overcommit_memory=0"),
    ("shared-memory", {"shm_free": 2**20}, WARN, "has 1 MB free", "remount,size=1G"),
    ("shared-memory", {"shm_free": None}, WARN, "not there or not writable", "--shm-size=1g"),
    (
        "postgres-user", {"uid": 0, "postgres_as": "uid:1000", **state(hidden_from="/secret")}, FAIL,
        "run as uid 1000, which may not enter /secret", "chmod o+x /secret",
    ),
    ("disk", state(disk_free=10 * 2**20), FAIL, "has 10 MB free; the platform needs 700 MB", "SIGNALINK_STATE=FOLDER"),
    ("disk", state(disk_free=GB), WARN, "has 1024 MB free", "SIGNALINK_STATE=FOLDER"),
    ("disk", {"jars": False, "cache_free": 2**20}, FAIL, "The folder of caches has 1 MB", "XDG_CACHE_HOME"),
    ("file-system", state(file_system="nfs4"), WARN, "is on nfs4", "SIGNALINK_STATE=FOLDER"),
    ("state-rights", state(problem="Permission denied"), FAIL, "cannot be written: Permission denied", "the right to"),
    ("state-rights", state(mode=0o755), WARN, "open to others (mode 755)", "chmod 700 /srv"),
    ("state-version", state(version="0"), FAIL, "of version 0; this program reads version 1", "down --purge"),
    ("leftovers", {"leftovers": (Leftover(7, "kafka", ours=True),)}, WARN, "kafka (pid 7)", "`signalink down`"),
    ("leftovers", {"leftovers": (Leftover(7, "a supervisor", ours=False),)}, WARN, "without its state", "`kill 7`"),
    ("ports", {"ports": (Port("api-0 http", 8000, "nc (pid 5)"),)}, FAIL, "8000 (api-0 http) is held by nc (pid 5)",
     "--ports free"),
    ("outgoing-ports", {"outgoing_ports": (1024, 60999)}, WARN, "5432, 8000 are there", "ip_local_port_range"),
    ("proxy", {"proxies": {"http_proxy": "http://p:1"}}, WARN, "NO_PROXY does not name", "NO_PROXY=localhost"),
    ("proxy", {"proxies": {"http_proxy": "p"}}, WARN, "http_proxy is not an address", "unset http_proxy"),
    ("clock", {"clock": Clock(behind=3 * 86400.0)}, FAIL, "3 days behind", "timedatectl"),
    ("clock", {"clock": Clock(disk_offset=-90.0)}, WARN, "differ from the clock by -90 s", "SIGNALINK_STATE=FOLDER"),
    ("clock", {"target": "eks", "clock": Clock(synchronised=False)}, WARN, "not synchronised", "set-ntp true"),
]  # fmt: skip


def finding(name: str, host: Host) -> Finding:
    return next(rule for rule in checkup.RULES if rule.name == name).check(host)


@pytest.mark.parametrize("name", [rule.name for rule in checkup.RULES])
def test_a_healthy_host_passes_every_rule_and_is_told_no_fix(name: str) -> None:
    found = finding(name, HEALTHY)
    assert (found.verdict, found.why, found.fix) == (OK, "", "")
    assert found.what


@pytest.mark.parametrize(("name", "changes", "verdict", "what", "fix"), BAD)
def test_a_host_with_one_fault_is_told_what_why_and_the_fix(
    name: str, changes: dict[str, Any], verdict: Verdict, what: str, fix: str
) -> None:
    found = finding(name, replace(HEALTHY, **changes))
    assert found.verdict is verdict
    assert what in found.what
    assert fix in found.fix
    assert found.why


def test_every_rule_has_been_seen_to_complain() -> None:
    assert {rule.name for rule in checkup.RULES} == {name for name, *_ in BAD}


def test_the_local_target_has_at_least_fifteen_rules_and_every_target_some() -> None:
    assert len(checkup.examine(HEALTHY)) >= 15
    counts = {target: len(checkup.examine(replace(HEALTHY, target=target))) for target in TARGETS}
    assert min(counts.values()) >= 7


@pytest.mark.parametrize(("target", "without"), [("kind", True), ("existing", True), ("eks", False)])
def test_a_cluster_that_helm_can_install_needs_no_pulumi(target: Target, without: bool) -> None:
    host = replace(HEALTHY, target=target, **program("pulumi", None, "pulumi is not on PATH"))
    (found,) = [each.finding for each in checkup.examine(host) if each.name == "pulumi"]
    assert found.verdict is FAIL and "pulumi.com/docs/install" in found.fix
    assert (f"`signalink up --target {target} --by helm`" in found.fix) is without


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("image-store", {"kind"}),
        ("cluster", {"existing"}),
        ("aws", {"eks"}),
        ("aws-identity", {"eks"}),
        ("pulumi-versions", {"kind", "existing", "eks"}),
        ("ports", {"local"}),
        ("helm", {"kind", "existing", "eks"}),
    ],
)
def test_a_rule_is_asked_for_its_targets_only(name: str, targets: set[Target]) -> None:
    asked = {t for t in TARGETS if name in {each.name for each in checkup.examine(replace(HEALTHY, target=t))}}
    assert asked == targets


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"uid": 0, "postgres_as": "namespace:1000"}, "uid 1000 in a user namespace"),
        ({"uid": 0, "postgres_as": "uid:1000"}, "user namespaces are refused"),
        ({"running": True, "memory_free": 0}, "0 MB of memory free"),
        ({"running": True, "ports": ()}, "runs on its ports"),
        ({"ports": ()}, "free ones will be chosen"),
        ({"clock": Clock(synchronised=False)}, "one machine, one clock"),
        ({"proxies": {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a, 127.0.0.1"}}, "loopback is spared"),
        (state(version=None, mode=None), "can be made"),
        ({"running": True, **state(disk_free=GB)}, "1024 MB free"),
        ({"outgoing_ports": None}, "does not say"),
    ],
)
def test_what_looks_like_a_fault_and_is_none(changes: dict[str, Any], words: str) -> None:
    checked = checkup.examine(replace(HEALTHY, **changes))
    assert [each.name for each in checked if each.finding.verdict is not OK] == []
    assert [each for each in checked if words in each.finding.what]


def test_a_start_is_refused_with_the_one_failure_or_with_all_of_them() -> None:
    checkup.require(checkup.examine(replace(HEALTHY, cpus=1.0)))
    with pytest.raises(EnvironmentBroken) as one:
        checkup.require(checkup.examine(replace(HEALTHY, open_files=10)))
    assert one.value.detail.startswith("A process may open 10 files")
    assert "ulimit -n" in str(one.value.next_step)
    with pytest.raises(EnvironmentBroken) as two:
        checkup.require(checkup.examine(replace(HEALTHY, open_files=10, system="Darwin")))
    assert two.value.detail.startswith("2 things are in the way:")
    assert "Fix: `ulimit -n" in two.value.detail
    assert "Fix: run it in a Linux" in two.value.detail


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("java", program("java", None, "no such file")),
        ("downloads", {"jars": False}),
        ("disk", {"jars": False, "cache_free": 2**20}),
        ("memory", {"memory_free": 500 * MB}),
    ],
)
def test_what_only_kafka_wants_is_not_asked_where_it_does_not_run(rule: str, changes: dict[str, Any]) -> None:
    found = {each.name: each.finding for each in checkup.examine(replace(HEALTHY, **SMALL, **changes))}
    assert found[rule].verdict is OK
    assert {each.name: each.finding for each in checkup.examine(replace(HEALTHY, **changes))}[rule].verdict is not OK
