"""Runs the program against a monitor that writes down every registration with what the engine would be told of it.

Pulumi's own mocks leave out parents and dependencies; the request has them. Charts are not expanded here.
"""

import asyncio
import contextvars
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pulumi
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime import stack as runtime_stack

from signalink_stacks.graph import cloud
from signalink_stacks.layers import program, reading

SECRET_MARK: Final = "4dabf18193072939515e22adb298388d"  # noqa: S105 - how Pulumi marks a secret on the wire
SECRET_VALUE: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - that this mark means a secret
HIDDEN: Final = "[secret]"
_NO_ROOT: Final[Any] = object()
"""Keeps `set_mocks` from making a root of its own."""


@dataclass(frozen=True, slots=True)
class Registration:
    """One resource as the engine is told of it. `inputs` has `[secret]` where a value carries the mark."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    raw: Mapping[str, Any]
    """Inputs with the marks and the values below them: for tests that look for values in clear."""
    parent: str
    provider: str
    providers: Mapping[str, str]
    dependencies: tuple[str, ...]
    deleted_with: str
    custom: bool
    remote: bool
    protect: bool
    retained: bool
    """Left where it is when the stack goes."""
    ignored: tuple[str, ...]
    """Inputs that change nothing of what is there already."""
    aliases: tuple[str, ...]
    """What it was called before: URNs, or what they are made of."""


class Echo(mocks.Mocks):
    """Every resource has its inputs as outputs, and an id. `answers`: token of a function -> what it returns.

    `asked`: functions that were called, with their arguments.
    """

    def __init__(self, answers: Mapping[str, Mapping[str, Any]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        return f"{args.name}-id", {**args.inputs, **cloud.outputs(args.typ, args.name, args.inputs)}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        self.asked.append((args.token, dict(args.args)))
        return dict(self.answers.get(args.token, args.args)), []


class Recorder(mocks.MockMonitor):
    """Pulumi's mock monitor, which also keeps the requests."""

    def __init__(self, answers: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.cloud = Echo(answers or cloud.ANSWERS)
        super().__init__(self.cloud)
        self.found: list[Registration] = []
        self.outputs: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the name in Pulumi's protocol
        answer = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        raw = json.loads(_json(request.object))
        self.found.append(
            Registration(
                urn=answer.urn,
                type=request.type,
                name=request.name,
                inputs=hidden(raw),
                raw=raw,
                parent=request.parent,
                provider=request.provider,
                providers=dict(request.providers),
                dependencies=tuple(request.dependencies),
                deleted_with=request.deletedWith,
                custom=request.custom,
                remote=request.remote,
                protect=request.protect,
                retained=request.retainOnDelete,
                ignored=tuple(request.ignoreChanges),
                aliases=tuple(each.urn or str(each.spec) for each in request.aliases) + tuple(request.aliasURNs),
            )
        )
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - the name in Pulumi's protocol
        if request.urn.split("::")[2] == "pulumi:pulumi:Stack":
            self.outputs = json.loads(_json(request.outputs))
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def _json(struct: Any) -> str:
    from google.protobuf.json_format import MessageToJson

    return str(MessageToJson(struct))


def marked(value: Any) -> bool:
    """Whether a value carries Pulumi's mark of a secret."""
    return isinstance(value, Mapping) and value.get(SECRET_MARK) == SECRET_VALUE


def hidden(value: Any) -> Any:
    """The same with `[secret]` in place of every secret, and null where a value is only known later."""
    if marked(value):
        return HIDDEN
    if isinstance(value, Mapping):
        return {key: hidden(each) for key, each in value.items()}
    if isinstance(value, list):
        return [hidden(each) for each in value]
    return None if value == rpc.UNKNOWN else value


def record(
    stack: str, config: Mapping[str, Any], *, answers: Mapping[str, Mapping[str, Any]] | None = None
) -> Recorder:
    """The graph of `stack` with this configuration (keys without `signalink:`). pulumi.RunError when it is refused."""
    monitor = Recorder(answers)
    contextvars.copy_context().run(_run, monitor, stack, config)
    return monitor


def _run(monitor: Recorder, stack: str, config: Mapping[str, Any]) -> None:
    """In a context of its own: Pulumi keeps its settings in context variables, and a root resource once it has one."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        settings.ROOT.set(_NO_ROOT)
        mocks.set_mocks(monitor.mocks, project="signalink", stack=stack, preview=False, monitor=monitor)
        settings.ROOT.set(None)
        values = {f"{reading.PREFIX}{key}": _text(value) for key, value in config.items()}
        pulumi.runtime.set_all_config(values, [f"{reading.PREFIX}{reading.SECRETS}"])
        loop.run_until_complete(runtime_stack.run_in_stack(_exported))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _exported() -> None:
    for name, value in program.run().items():
        pulumi.export(name, value)


def _text(value: Any) -> str:
    """As Pulumi hands configuration over: texts, and JSON for tables and lists."""
    return str(value) if isinstance(value, str | date) else json.dumps(value, default=str)
