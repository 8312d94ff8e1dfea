"""Rules about running code that syntax can show: bounds, owners, waits, where clients come from, timeouts."""

from collections.abc import Callable

import pytest

from house import runtime
from house.sources import Tree

Sample = Callable[[dict[str, str]], Tree]
Rule = Callable[[Tree], list[str]]
RULES: list[Rule] = [
    runtime.unbounded_queues,
    runtime.orphan_tasks,
    runtime.sleeping_tests,
    runtime.http_middleware,
    runtime.stray_clients,
    runtime.settings_read_on_import,
    runtime.calls_without_timeout,
]
CORE = "services/core/signalink_core/a.py"
API = "services/api/signalink_api/service.py"
BAD = [
    (runtime.unbounded_queues, CORE, "q = asyncio.Queue()"),
    (runtime.unbounded_queues, CORE, "q: asyncio.Queue[int] = asyncio.Queue[int](maxsize=0)"),
    (runtime.unbounded_queues, CORE, "q = queue.SimpleQueue()"),
    (runtime.unbounded_queues, CORE, "pending = deque()"),
    (runtime.orphan_tasks, CORE, "def f() -> None:\n    asyncio.create_task(g())"),
    (runtime.orphan_tasks, "tests/a/test_a.py", "async def f() -> None:\n    asyncio.ensure_future(g())"),
    (runtime.orphan_tasks, CORE, "def f() -> None:\n    task = loop.create_task(g())"),
    (runtime.sleeping_tests, "tests/a/test_a.py", "async def f() -> None:\n    await asyncio.sleep(0.1)"),
    (runtime.sleeping_tests, "tests/a/test_a.py", "def f() -> None:\n    time.sleep(0)"),
    (runtime.sleeping_tests, "tests/a/conftest.py", "while not ready():\n    while busy():\n        time.sleep(1)"),
    (runtime.http_middleware, API, "@app.middleware('http')\nasync def f() -> None: ..."),
    (runtime.http_middleware, API, "class A(BaseHTTPMiddleware): ..."),
    (runtime.stray_clients, API, "client = httpx.AsyncClient(timeout=2)"),
    (runtime.stray_clients, API, "settings = PostgresSettings.from_env()"),
    (
        runtime.stray_clients,
        API,
        "class A:\n    async def f(self) -> None:\n        self.client = httpx.AsyncClient(timeout=2)",
    ),
    (runtime.settings_read_on_import, CORE, "PORT = os.environ.get('PORT')"),
    (runtime.settings_read_on_import, CORE, "SETTINGS = Settings.from_env()"),
    (runtime.calls_without_timeout, CORE, "client = httpx.AsyncClient()"),
    (runtime.calls_without_timeout, CORE, "connection = socket.create_connection((host, port))"),
    (runtime.calls_without_timeout, CORE, "pool = asyncpg.create_pool(dsn)"),
]
GOOD = [
    (runtime.unbounded_queues, CORE, "q = asyncio.Queue(maxsize=100)\nd = deque(maxlen=5)\ne = deque((), 5)"),
    (runtime.unbounded_queues, CORE, "# bound: one entry per session\nd: deque[int] = deque()"),
    (runtime.unbounded_queues, CORE, "d: deque[int] = deque()\nif len(d) >= 10:\n    d.popleft()"),
    (runtime.orphan_tasks, runtime.TASK_OWNER, "asyncio.create_task(g())"),
    (runtime.orphan_tasks, CORE, "async def f() -> None:\n    task = asyncio.create_task(g())\n    await task"),
    (
        runtime.orphan_tasks,
        CORE,
        "async def f() -> None:\n    async with asyncio.TaskGroup() as group:\n        group.create_task(g())",
    ),
    (runtime.sleeping_tests, "tests/a/test_a.py", "async def f() -> None:\n    await asyncio.sleep(0)"),
    (runtime.sleeping_tests, "tests/a/load.py", "while time.monotonic() < ends:\n    post()\n    time.sleep(0.1)"),
    (runtime.sleeping_tests, "tests/a/conftest.py", "async def slow() -> None:\n    await asyncio.sleep(delay)"),
    (runtime.stray_clients, API, "connection = await pool.connect(settings)"),
    (runtime.stray_clients, "services/api/signalink_api/app.py", "client = httpx.AsyncClient(timeout=2)"),
    (
        runtime.stray_clients,
        API,
        "class A(Lifecycle):\n    async def _start(self) -> None:\n        self.client = httpx.AsyncClient(timeout=2)",
    ),
    (runtime.settings_read_on_import, CORE, "def f() -> None:\n    return os.getenv('PORT')"),
    (runtime.calls_without_timeout, CORE, "client = httpx.AsyncClient(timeout=2)"),
    (runtime.calls_without_timeout, CORE, "connection = socket.create_connection((host, port), 2)"),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Rule, tree: Tree) -> None:
    assert rule(tree) == []


@pytest.mark.parametrize(("rule", "path", "code"), BAD)
def test_the_rule_finds_a_bad_sample(rule: Rule, path: str, code: str, sample: Sample) -> None:
    assert len(rule(sample({path: code}))) == 1


@pytest.mark.parametrize(("rule", "path", "code"), GOOD)
def test_the_rule_leaves_a_good_sample_alone(rule: Rule, path: str, code: str, sample: Sample) -> None:
    assert rule(sample({path: code})) == []


def test_every_rule_has_a_bad_sample() -> None:
    assert {rule.__name__ for rule in RULES} == {rule.__name__ for rule, _, _ in BAD}
