"""The page at `/`: which requests get it, how long files may be kept, what it may do, and what is said without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from signalink_api.page import Page, content_security_policy
from signalink_core.guard.asgi import Message, Receive, Send

GATEWAY = "ws://127.0.0.1:8001/v1/socket"
INDEX = "<!doctype html><title>Signalink</title>"
NAVIGATION = {"Accept": "text/html,application/xhtml+xml"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; "
    "connect-src 'self' ws://127.0.0.1:8001; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)


async def routes(scope: Message, receive: Receive, send: Send) -> None:
    """Stands for the api's routes: says that it was asked."""
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"routes"})


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "ui/assets").mkdir(parents=True)
    (tmp_path / "ui/index.html").write_text(INDEX)
    (tmp_path / "ui/theme.js").write_text("// theme")
    (tmp_path / "ui/assets/index-1a2b.js").write_text("// bundle")
    (tmp_path / "secret.txt").write_text("not for the page")
    return tmp_path / "ui"


@contextmanager
def client(folder: Path) -> Iterator[httpx.AsyncClient]:
    page = Page(routes, folder=folder, speaks_to=[GATEWAY])
    yield httpx.AsyncClient(transport=httpx.ASGITransport(app=page), base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize("path", ["/", "/index.html", "/c/0198c8d4-0000-7000-8000-000000000000"])
async def test_a_navigation_gets_the_page_that_is_never_stored(path: str, built: Path) -> None:
    with client(built) as http:
        answer = await http.get(path, headers=NAVIGATION)
    assert (answer.status_code, answer.text) == (200, INDEX)
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"] == POLICY


async def test_hashed_files_are_kept_for_ever_and_others_asked_for_again(built: Path) -> None:
    with client(built) as http:
        hashed, plain = await http.get("/assets/index-1a2b.js"), await http.get("/theme.js")
    assert hashed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["cache-control"] == "no-cache"
    assert "javascript" in hashed.headers["content-type"]


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/users/me", "/v1/nothing", "/.well-known/jwks.json"])
async def test_addresses_of_the_api_are_never_the_page(path: str, built: Path) -> None:
    with client(built) as http:
        assert (await http.get(path, headers=NAVIGATION)).text == "routes"


@pytest.mark.parametrize("path", ["/nothing", "/assets/gone-9f.js", "/../secret.txt", "/%2e%2e/secret.txt", "/assets"])
async def test_what_is_neither_a_file_nor_a_navigation_is_left_to_the_routes(path: str, built: Path) -> None:
    with client(built) as http:
        assert (await http.get(path)).text == "routes"


async def test_a_missing_file_is_not_answered_with_the_page(built: Path) -> None:
    with client(built) as http:
        assert (await http.get("/assets/gone-9f.js", headers=NAVIGATION)).text == "routes"


async def test_only_reading_gets_the_page(built: Path) -> None:
    with client(built) as http:
        assert (await http.post("/")).text == "routes"
        head = await http.head("/")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("path", ["/", "/c/somewhere"])
async def test_without_a_build_a_problem_says_how_to_make_one(path: str, tmp_path: Path) -> None:
    with client(tmp_path / "none") as http:
        answer = await http.get(path, headers=NAVIGATION)
        other = await http.get("/nothing")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "page_not_built"
    assert "make ui" in answer.json()["next_step"]
    assert other.text == "routes"


async def test_a_build_made_later_needs_no_restart(tmp_path: Path) -> None:
    with client(tmp_path / "ui") as http:
        assert (await http.get("/")).status_code == 404
        (tmp_path / "ui").mkdir()
        (tmp_path / "ui/index.html").write_text(INDEX)
        assert (await http.get("/")).text == INDEX


def test_the_policy_names_the_gateway_without_its_path() -> None:
    assert content_security_policy([GATEWAY]) == POLICY
    both = content_security_policy(["wss://chat.example/v1/socket", "https://figures.example/"])
    assert "connect-src 'self' wss://chat.example https://figures.example;" in both
