"""What running code must not do: unbounded queues, tasks nobody owns, sleeping tests, stray clients, no timeouts.

Works on syntax alone, so it finds the pattern and not every disguise of it; the behaviour is tested where it lives.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from house.sources import Tree, calls, dotted, parse

SERVICES = ("signalink_api", "signalink_relay", "signalink_gateway")
TASK_OWNER = "services/core/signalink_core/lifecycle.py"
CLIENTS = {
    "AIOKafkaAdminClient", "AIOKafkaConsumer", "AIOKafkaProducer", "AdminClient", "AsyncClient", "Client", "Redis",
    "asyncpg.connect", "create_async_engine", "create_engine", "create_pool", "from_url",
}  # fmt: skip
TIMEOUT_OF = {
    "asyncpg.connect": ("timeout", 99),
    "asyncpg.create_pool": ("timeout", 99),
    "httpx.AsyncClient": ("timeout", 99),
    "httpx.Client": ("timeout", 99),
    "redis.asyncio.from_url": ("socket_timeout", 99),
    "socket.create_connection": ("timeout", 1),
    "urllib.request.urlopen": ("timeout", 2),
}
"""Call to the keyword that bounds it and that argument's position (99: by keyword only)."""


def unbounded_queues(tree: Tree) -> list[str]:
    """Queues without a bound. A deque without maxlen says what bounds it: a compared length or a `# bound:` comment."""
    found = []
    for path in tree.product():
        module, lines = parse(path), path.read_text(encoding="utf-8").splitlines()
        for name, call in calls(module):
            last = name.rpartition(".")[2]
            said = "# bound:" in "".join(lines[max(0, call.lineno - 2) : call.lineno])
            if last in {"Queue", "LifoQueue", "PriorityQueue"} and not _bound(call, "maxsize", 0):
                found.append(tree.at(path, call.lineno, f"{name}() without maxsize"))
            elif last == "SimpleQueue":
                found.append(tree.at(path, call.lineno, f"{name} has no bound"))
            elif last == "deque" and not (_bound(call, "maxlen", 1) or _measured(module, call) or said):
                found.append(tree.at(path, call.lineno, "deque() without maxlen, and nothing says what bounds it"))
    return found


def _bound(call: ast.Call, keyword: str, position: int) -> bool:
    given = [item.value for item in call.keywords if item.arg == keyword] + call.args[position : position + 1]
    return bool(given) and not (isinstance(given[0], ast.Constant) and not given[0].value)


def _measured(module: ast.Module, call: ast.Call) -> bool:
    """Whether the module compares `len(<name the deque is bound to>)` with something: a bound with its own policy."""
    names = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Assign) and node.value is call:
            names |= {dotted(target).rpartition(".")[2] for target in node.targets}
        elif isinstance(node, ast.AnnAssign) and node.value is call:
            names.add(dotted(node.target).rpartition(".")[2])
    measured = {
        dotted(inner.args[0]).rpartition(".")[2]
        for node in ast.walk(module)
        if isinstance(node, ast.Compare)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Call) and dotted(inner.func) == "len" and inner.args
    }
    return bool(names & measured)


def orphan_tasks(tree: Tree) -> list[str]:
    """Tasks made outside the lifecycle module whose handle is thrown away or never looked at again."""
    found = []
    for path in tree.python():
        if tree.name(path) == TASK_OWNER:
            continue
        module = parse(path)
        groups = set(_task_groups(module))
        for name, call in calls(module):
            owner, _, last = name.rpartition(".")
            if last in {"create_task", "ensure_future"} and owner not in groups and not _kept(module, call):
                found.append(tree.at(path, call.lineno, f"{name}: nobody owns this task; use Lifecycle.spawn"))
    return found


def _kept(module: ast.Module, call: ast.Call) -> bool:
    """Whether the handle is awaited, handed on, or bound to a name that is read again."""
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and node.value is call:
            return False
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is call:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {dotted(target).rpartition(".")[2] for target in targets}
            return any(
                isinstance(other, ast.Name | ast.Attribute)
                and isinstance(other.ctx, ast.Load)
                and dotted(other).rpartition(".")[2] in names
                for other in ast.walk(module)
            )
    return True


def _task_groups(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.AsyncWith):
            for item in node.items:
                if item.optional_vars is not None and dotted(item.context_expr).endswith("TaskGroup()"):
                    yield dotted(item.optional_vars)


def sleeping_tests(tree: Tree) -> list[str]:
    """Sleeps in test modules, and loops elsewhere under tests/ that sleep until something is true: both use eventually.

    A stand-in that answers late, or a load of some seconds, may sleep; `sleep(0)` only yields.
    """
    found = set()
    for path in tree.tests():
        module = parse(path)
        loops = [node for node in ast.walk(module) if isinstance(node, ast.While) and not _lasts(node)]
        for suspect in [module] if path.name.startswith("test_") else loops:
            sleeps = {call.lineno: name for name, call in calls(suspect) if _sleeps(name, call)}
            found |= {tree.at(path, line, f"{name}: wait with eventually()") for line, name in sleeps.items()}
    return sorted(found)


def _lasts(loop: ast.While) -> bool:
    """Whether only the clock ends the loop: a load of some seconds, which waits for nothing."""
    return isinstance(loop.test, ast.Compare) and [name for name, _ in calls(loop.test)] == ["time.monotonic"]


def _sleeps(name: str, call: ast.Call) -> bool:
    yields = bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
    return name in {"time.sleep", "asyncio.sleep", "sleep"} and not (yields and name != "time.sleep")


def http_middleware(tree: Tree) -> list[str]:
    """`@app.middleware("http")` and BaseHTTPMiddleware never see WebSockets; guards are pure ASGI."""
    found = []
    for path in tree.product():
        for node in ast.walk(parse(path)):
            name = dotted(node) if isinstance(node, ast.Name | ast.Attribute) else ""
            if name.endswith("BaseHTTPMiddleware"):
                found.append(tree.at(path, getattr(node, "lineno", 1), "BaseHTTPMiddleware: write pure ASGI"))
        for name, call in calls(parse(path)):
            first = call.args[0] if call.args else None
            if name.endswith(".middleware") and isinstance(first, ast.Constant) and first.value == "http":
                found.append(tree.at(path, call.lineno, f'{name}("http"): write pure ASGI'))
    return found


def stray_clients(tree: Tree) -> list[str]:
    """Clients a service builds outside app.py, and settings read outside app.py, `__main__` and the settings module.

    Core's openers (`pool.connect`) build them in core. A Lifecycle may build its own: it closes what it opened.
    """
    found = []
    for path in _service_modules(tree):
        module = parse(path)
        owned = {id(call) for owner in _lifecycles(module) for _, call in calls(owner)}
        for name, call in calls(module):
            if {name, _last(name)} & CLIENTS and path.name != "app.py" and id(call) not in owned:
                found.append(tree.at(path, call.lineno, f"{name}: clients are built in app.py and passed down"))
            if _last(name) == "from_env" and path.name not in {"app.py", "__main__.py", "settings.py"}:
                found.append(tree.at(path, call.lineno, f"{name}: settings are built in app.py and passed down"))
    return found


def settings_read_on_import(tree: Tree) -> list[str]:
    """Environment or settings read while a module is imported: what a process reads, it reads in app.py, once."""
    found = []
    for path in tree.product():
        for statement in parse(path).body:
            if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If):
                continue
            for name, call in calls(statement):
                if _last(name) == "from_env" or name in {"os.getenv", "os.environ.get"}:
                    found.append(tree.at(path, call.lineno, f"{name} runs on import"))
    return found


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _lifecycles(module: ast.Module) -> Iterator[ast.ClassDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and any(_last(dotted(base)) == "Lifecycle" for base in node.bases):
            yield node


def _service_modules(tree: Tree) -> Iterator[Path]:
    for path in tree.python("services"):
        parts = path.relative_to(tree.root).parts
        if len(parts) > 3 and parts[2] in SERVICES:
            yield path


def calls_without_timeout(tree: Tree) -> list[str]:
    """Network calls without a timeout. `**settings` counts: core's settings groups carry it, and are tested there."""
    return [
        tree.at(path, call.lineno, f"{name} without {keyword}")
        for path in tree.product()
        for name, call in calls(parse(path))
        if name in TIMEOUT_OF
        for keyword, position in [TIMEOUT_OF[name]]
        if len(call.args) <= position and not any(item.arg in {None, keyword} for item in call.keywords)
    ]
