"""Reads a stack's configuration into `settings.Config`, or says everything that is wrong with it at once. Pure.

Owns which keys there are and which may stand together; how one key is read is `reading`'s matter.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, cast

from signalink_core.errors import ConfigurationError
from signalink_stacks.lib import bindingconfig, chartvalues, cidrs, cloudconfig, machine, names, registry
from signalink_stacks.lib.reading import Fault, Section, nearest, shown
from signalink_stacks.lib.settings import (
    LIMITS_USD,
    PROFILES,
    TARGETS,
    Aws,
    ClusterSettings,
    Config,
    Images,
    Ingress,
    Profile,
    Target,
)

NAME: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
URL: Final = r"https?://[^/\s]+(/[^\s]*)?"
PRODUCTION: Final = re.compile(r"(^|[^a-z])prod(uction)?([^a-z]|$)", re.IGNORECASE)
MOST_USD: Final = 100_000


def parse(stack: str, raw: Mapping[str, Any], *, charts: Sequence[str] = ()) -> Config:
    """The configuration of `stack` from its keys without `signalink:`; ConfigurationError with every fault."""
    config, faults = read(stack, raw, charts=charts)
    if faults:
        raise refusal(stack, faults)
    return config


def refusal(stack: str, faults: list[Fault]) -> ConfigurationError:
    """All faults in one error, a line each."""
    lines = "\n".join(f"  {fault}" for fault in faults)
    count = f"{len(faults)} mistake{'s' if len(faults) > 1 else ''}"
    return ConfigurationError(
        f"The configuration of stack {stack} has {count}:\n{lines}\n",
        next_step=f"correct them in stacks/config/Pulumi.{stack}.yaml",
    )


def read(stack: str, raw: Mapping[str, Any], *, charts: Sequence[str] = ()) -> tuple[Config, list[Fault]]:
    """The configuration with defaults where something is wrong, and what is wrong. `charts`: none, any is taken."""
    faults: list[Fault] = []
    top = Section("", raw, faults)
    target = cast(Target, top.choice("target", TARGETS))
    profiles = PROFILES[target]
    profile = cast(Profile, top.choice("profile", profiles, profiles[0]))
    in_cloud = target in ("eks", "aws-lite")
    if in_cloud and not re.fullmatch(names.STACK, stack):
        wanted = "at most 32 small letters, digits and -, which names of AWS begin with"
        faults.append(Fault("stack", shown(stack), wanted, "`pulumi stack init` with a shorter name"))
    config = Config(
        stack=stack,
        target=target,
        profile=profile,
        owner=_owner(top, required=in_cloud),
        expires=_expires(top, required=in_cloud),
        max_usd=top.whole("maxUsd", LIMITS_USD[profile], least=0, most=MOST_USD),
        environment=top.choice("environment", ("local", "prod"), "local" if target == "kind" else "prod"),  # type: ignore[arg-type]
        cluster=_cluster(top.section("cluster"), target),
        bindings=bindingconfig.read(top.section("bindings"), target, profile),
        images=_images(top.section("images"), target),
        observability=top.flag("observability", default=profile != "small" and target != "aws-lite"),
        values=_values(top.section("values"), charts),
        aws=cloudconfig.read(top.section("aws"), target, profile),
        secrets=_secrets(top, raw),
    )
    if not in_cloud and raw.get("aws"):
        top.refuse("aws", f"nothing with target {target}", "remove it, or set target to eks or aws-lite")
    if target == "aws-lite" and config.aws:
        _machine(config, faults)
    if target == "eks" and config.aws:
        kind = "aws.nodes.mode" if config.aws.nodes.mode == "auto" else "aws.nodes.type"
        _fits(config, kind, "auto" if config.aws.nodes.mode == "auto" else config.aws.nodes.type, faults)
        _own_registry(config, config.aws.region, faults)
        _way_in(config, config.aws, faults)
    top.close()
    return config, faults


def _machine(config: Config, faults: list[Fault]) -> None:
    """From 8 GiB on the parts of one machine are pods: a registry must have their images, and pods need addresses."""
    instance = config.aws.instance if config.aws else ""
    try:
        pods = machine.parts(machine.memory_gib(instance)).way == "k3s"
    except ConfigurationError as error:
        faults.append(
            Fault("aws.instance", shown(instance), "a machine with 1 GiB or more", error.next_step or error.detail)
        )
        return
    if not pods:
        return
    _fits(config, "aws.instance", instance, faults)
    cidr = config.aws.cidr if config.aws else ""
    if used := cidrs.taken(cidr):
        fix = "choose another network such as 10.42.0.0/16; or a machine below 8 GiB"
        faults.append(Fault("aws.cidr", shown(cidr), f"one without {used}: {instance} runs pods there", fix))
    if not (config.images.registry and config.images.digests):
        fix = "`signalink images push` writes both to dist/images.json; or choose a machine below 8 GiB"
        expected = f"images.registry and images.digests: {instance} runs pods"
        found = "no digests" if config.images.registry else "no registry with our images"
        faults.append(Fault("images", found, expected, fix))


def _fits(config: Config, key: str, found: str, faults: list[Fault]) -> None:
    """An image of one architecture does not start on a machine of another."""
    machines, images = (config.aws.architecture if config.aws else ""), config.images.architecture
    if machines != images:
        expected = f"machines of {images}, as images.architecture says, not of {machines}"
        fix = f"choose such a type, or build the images on {machines} and set images.architecture to {machines}"
        faults.append(Fault(key, shown(found), expected, fix))


def _own_registry(config: Config, region: str, faults: list[Fault]) -> None:
    """On eks every image comes from the stack's own repositories: what was pushed elsewhere is found by no pod."""
    given, prefix = config.images.registry, registry.prefix(config.stack)
    account = config.aws.account if config.aws else ""
    found = re.fullmatch(rf"{registry.host(region)}/{re.escape(prefix)}", given)
    if given and not (found and account in ("", found["account"])):
        expected = f"the stack's own, {account or 'ACCOUNT'}.dkr.ecr.{region}.amazonaws.com/{prefix}"
        fix = (
            f"`make publish REGISTRY=...` with the address that `make registry STACK={config.stack}` says, then"
            f" `make deploy STACK={config.stack}` with the dist/images.json of that"
        )
        faults.append(Fault("images.registry", shown(given), expected, fix))


def _way_in(config: Config, aws: Aws, faults: list[Fault]) -> None:
    """Charts are applied by the update that makes the cluster: its API must be reached from where that runs."""
    if not aws.endpoint_cidrs and not (config.cluster.kubeconfig and config.cluster.context):
        expected = "who may reach the cluster's API: the same update puts the charts into it"
        fix = "name the address from which you and the runner go out, as /32; or cluster.kubeconfig and cluster.context"
        faults.append(Fault("aws.endpointCidrs", "nothing", expected, fix))


def _secrets(top: Section, raw: Mapping[str, Any]) -> frozenset[str]:
    """Names alone; what stands behind them is shown in no fault."""
    top.asked.append("secrets")
    found = raw.get("secrets") or {}
    if isinstance(found, dict):
        return frozenset(found)
    top.faults.append(Fault("secrets", "a text", "a table of names and values", "let `signalink up` write it"))
    return frozenset()


def _owner(top: Section, *, required: bool) -> str:
    expected = "who pays, as letters, digits and . _ - @ (at most 64)"
    return top.text("owner", None if required else "local", form=r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", expected=expected)


def _expires(top: Section, *, required: bool) -> date | None:
    """A day, or `never` where that is allowed."""
    form = r"\d{4}-\d{2}-\d{2}|never"
    text = top.text("expires", None if required else "never", form=form, expected="a day as YYYY-MM-DD, or never")
    if text in ("", "never"):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        top.refuse("expires", "a day of the calendar as YYYY-MM-DD", "correct expires")
        return None


def _cluster(section: Section, target: Target) -> ClusterSettings:
    named = target in ("kind", "existing")
    context = section.text("context", None if target == "existing" else "kind-signalink" if named else "")
    if target == "existing" and PRODUCTION.search(context) and not section.flag("yes", default=False):
        section.refuse("context", "one that is not called like production", "set cluster.yes to true if it is meant")
    kubeconfig = section.text("kubeconfig", "", expected="a path")
    if target == "eks" and bool(kubeconfig) != bool(context):
        missing = "context" if kubeconfig else "kubeconfig"
        section.refuse(missing, "both kubeconfig and context, or neither: a way to the cluster of your own", "set it")
    if target == "aws-lite" and (kubeconfig or context):
        section.refuse("kubeconfig", "nothing with target aws-lite, which has no cluster", "remove it, and context")
    section.asked.append("yes")
    found = ClusterSettings(
        namespace=section.text("namespace", "signalink", form=NAME, expected="a DNS label"),
        kubeconfig=kubeconfig,
        context=context,
        storage_class=section.text("storageClass", "", form=NAME, expected="the name of a StorageClass"),
        ingress=_ingress(section.section("ingress"), target),
        wait=section.flag("wait", default=True),
        unreachable_ok=section.flag("unreachableOk", default=False),
    )
    section.close()
    return found


def _ingress(section: Section, target: Target) -> Ingress:
    modes = ("none", "alb") if target in ("eks", "aws-lite") else ("none", "ingress", "gateway")
    found = Ingress(
        mode=section.choice("mode", modes, "alb" if target == "eks" else "none"),  # type: ignore[arg-type]
        class_name=section.text("class", "", form=bindingconfig.HOST, expected="the name of a class, or of a Gateway"),
        base_url=section.text("baseUrl", "", form=URL, expected="an address with http:// or https://").rstrip("/"),
        tls_secret=section.text("tlsSecret", "", form=bindingconfig.HOST, expected="the name of a Secret"),
    )
    if found.mode in ("ingress", "gateway") and not found.base_url:
        section.refuse("baseUrl", f"the address that people use, with mode {found.mode}", "set it")
    if found.mode == "gateway" and not found.class_name:
        section.refuse("class", "the name of the Gateway that routes join, with mode gateway", "set it")
    section.close()
    return found


def _images(section: Section, target: Target) -> Images:
    digests = section.mapping("digests")
    found = Images(
        registry=section.text("registry", "", form=r"[A-Za-z0-9.:/_-]+", expected="a registry's host and path"),
        tag=section.text("tag", "", form=r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", expected="a tag"),
        dev=section.flag("dev", default=target == "kind"),
        architecture=section.choice("architecture", ("amd64", "arm64"), "amd64"),  # type: ignore[arg-type]
        map=_strings(section, "map", section.mapping("map")),
        digests=_strings(section, "digests", digests),
    )
    for repository, digest in found.digests.items():
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            section.faults.append(
                Fault(f"images.digests.{repository}", shown(digest), "sha256: and 64 hex digits", "copy it whole")
            )
    if found.dev and target in ("eks", "aws-lite"):
        section.refuse("dev", "false where machines pull their images", "remove it")
    section.close()
    return found


def _strings(section: Section, key: str, values: Mapping[str, Any]) -> dict[str, str]:
    for name, value in values.items():
        if not isinstance(value, str):
            section.faults.append(Fault(f"images.{key}.{name}", shown(value), "text", "put it in quotes"))
    return {name: value for name, value in values.items() if isinstance(value, str)}


def _values(section: Section, charts: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for chart in sorted(section.values):
        table = section.mapping(chart)
        if charts and chart not in (*charts, "global"):
            fix = nearest(chart, charts) or "remove it"
            section.refuse(chart, f"global or a chart ({', '.join(charts)})", fix)
        found[chart] = table
        if chartvalues.migrations(table) == chartvalues.HOOK:
            expected = "job or off: a stack runs no hook, and pods would wait for their schemas for ever"
            fix = "leave it at job, the default; hooks are for `helm install` without --wait"
            section.faults.append(Fault(f"values.{chart}.migrations.mode", shown(chartvalues.HOOK), expected, fix))
    return found
