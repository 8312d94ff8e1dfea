"""A service's image holds the base dependencies and its own extra; the core must not ask for more on import."""

import subprocess
import sys

import pytest

EXTRAS = ["redis", "httpx", "jwt", "cryptography", "limits", "uvicorn", "asyncpg", "aiokafka", "yaml", "fastapi"]
BASE = [
    "errors",
    "ids",
    "clock",
    "settings",
    "lifecycle",
    "readiness",
    "faults",
    "process",
    "manifest",
    "testing",
    "telemetry.logging",
    "telemetry.metrics",
    "telemetry.names",
    "telemetry.trace",
    "guard.controls",
    "guard.problems",
    "guard.rules",
    "guard.asgi",
]


def imports(modules: list[str], without: list[str]) -> subprocess.CompletedProcess[str]:
    code = f"import sys\nfor name in {without!r}: sys.modules[name] = None\n"
    code += "\n".join(f"import signalink_core.{module}" for module in modules)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def test_the_base_of_the_core_needs_the_base_dependencies_only() -> None:
    ran = imports(BASE, EXTRAS)
    assert ran.returncode == 0, ran.stderr


def test_the_relays_parts_need_uvicorn_and_redis_but_no_tokens_and_no_limits() -> None:
    ran = imports(["http", "internal"], [name for name in EXTRAS if name != "uvicorn"])
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(("module", "extra"), [("http", "uvicorn"), ("guard.limits", "limits"), ("auth.tokens", "jwt")])
def test_the_check_sees_an_import_that_is_too_much(module: str, extra: str) -> None:
    assert imports([module], [extra]).returncode != 0
