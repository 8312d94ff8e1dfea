"""D03, D04, D05, D06, D07 and the whole platform, on real containers: compose.yaml run by a Docker Engine.

Needs an engine and built images: SIGNALINK_IMAGES names their tag (`signalink images build --tag T`), SIGNALINK_ENGINES
`stand-ins` where the official images of Postgres, Valkey and Kafka cannot be pulled (enginebuilds.py makes them).
Without them every test here is skipped with the reason; SIGNALINK_REQUIRE=docker makes that a failure.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import composing
import enginebuilds
import pytest
from composing import Composed, docker
from packaging.markers import Marker
from packaging.utils import canonicalize_name

from signalink_core.client import ApiClient, SocketClient
from signalink_core.events import Position
from signalink_core.testing import eventually
from signalink_stacks.lib import images

TAG = os.environ.get("SIGNALINK_IMAGES", "")
ENGINES = os.environ.get("SIGNALINK_ENGINES", "")
EXTRA = os.environ.get("SIGNALINK_IMAGES_EXTRA", "")
"""What they were built with: `signalink images build --extra aws`."""
OURS = [image.name for image in images.load().services()]
RUNNING = [name for name in OURS if name != "operator"]
PASSWORD = "correct horse battery staple"  # an account that lives as long as this run
MOST_MEGABYTES = 300
"""Of what we put on the base; notifications has the most, with Google's libraries. Bytecode is a third of it."""
OWN = """
import os
print(sum(os.lstat(os.path.join(top, name)).st_size for top, _, names in os.walk("/app") for name in names))
"""


def reason() -> str:
    if not TAG:
        return "SIGNALINK_IMAGES names no tag of built images"
    return composing.unavailable()


def swapped() -> dict[str, str]:
    catalogue = images.load()
    found = {image.reference: f"{image.repository}:{TAG}" for image in catalogue.services()}
    backing = (image for image in catalogue if image.role == "backing")
    return found | ({image.reference: enginebuilds.reference(image.name) for image in backing} if ENGINES else {})


if why := reason():
    assert "docker" not in os.environ.get("SIGNALINK_REQUIRE", "").split(","), why
    pytest.skip(why, allow_module_level=True)


@pytest.fixture(scope="session")
def platform() -> Iterator[Composed]:
    """All of compose.yaml, up and healthy."""
    composed = Composed(composing.load(), swapped())
    try:
        composed.up()
        yield composed
    finally:
        composed.down()


def inspect(name: str) -> dict[str, Any]:
    [found] = json.loads(docker("image", "inspect", f"signalink/{name}:{TAG}"))
    image: dict[str, Any] = found
    return image


def inside(name: str, program: str) -> str:
    """What a Python program prints in an image, hardened as in production."""
    hardened = ["--read-only", "--cap-drop", "ALL", "--network", "none", "--tmpfs", "/tmp"]  # noqa: S108
    return docker("run", "--rm", *hardened, "--entrypoint", "python", f"signalink/{name}:{TAG}", "-c", program)


def locked(name: str, markers: dict[str, str]) -> dict[str, str]:
    """Distribution -> version that the lock names for this interpreter."""
    text = (images.root() / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    found = re.findall(r"^([\w.-]+)==([^ ;\\]+)(?: *; *([^\\\n]+?))? *\\?$", text, re.MULTILINE)
    return {
        canonicalize_name(package): version
        for package, version, marker in found
        if not marker or Marker(marker).evaluate(markers)
    }


INSTALLED = """
import importlib.metadata, json, os, platform, sys
print(json.dumps({
    "installed": {found.metadata["Name"]: found.version for found in importlib.metadata.distributions()},
    "markers": {
        "python_version": "%d.%d" % sys.version_info[:2], "python_full_version": platform.python_version(),
        "sys_platform": sys.platform, "platform_system": platform.system(), "os_name": os.name,
        "platform_machine": platform.machine(), "implementation_name": sys.implementation.name,
        "platform_python_implementation": platform.python_implementation(),
    },
}))
"""


@pytest.mark.parametrize("name", OURS)
def test_what_is_installed_is_the_lock_and_the_product(name: str) -> None:
    found = json.loads(inside(name, INSTALLED))
    installed = {canonicalize_name(package): version for package, version in found["installed"].items()}
    assert installed.pop("signalink")
    extra = locked(EXTRA, found["markers"]) if EXTRA else {}
    assert installed == locked(name, found["markers"]) | extra


@pytest.mark.parametrize("name", OURS)
def test_an_image_tells_what_it_is_and_lists_what_is_inside(name: str) -> None:
    image = inspect(name)
    labels = image["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == f"signalink-{name}"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert image["Config"]["User"] == "10001:10001"
    assert image["Config"]["Entrypoint"] == ["/app/bin/signalink-service"]
    sbom = json.loads(inside(name, f"print(open({labels['dev.signalink.sbom']!r}).read())"))
    assert sbom["bomFormat"] == "CycloneDX"
    listed = {canonicalize_name(each["name"]) for each in sbom["components"]}
    installed = json.loads(inside(name, INSTALLED))["installed"]
    assert {canonicalize_name(package) for package in installed} <= listed


@pytest.mark.parametrize("name", OURS)
def test_an_image_is_small_and_carries_no_tool_and_no_source(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    megabytes = int(inside(name, OWN)) / 1_000_000
    record_property("megabytes", round(megabytes))
    assert megabytes < MOST_MEGABYTES, f"{megabytes:.0f} MB"
    program = (
        "import glob, os, shutil; print([p for p in ('gcc', 'cc', 'node', 'npm', 'git') if shutil.which(p)]"
        " + [p for p in ('/build', '/tools', '/dist', '/node') if os.path.exists(p)] + glob.glob('/*/.cache'))"
    )
    assert inside(name, program) == "[]"


@pytest.mark.parametrize("name", OURS)
def test_no_secret_is_in_the_history_or_environment_of_an_image(name: str) -> None:
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", f"signalink/{name}:{TAG}")
    words = history + json.dumps(inspect(name)["Config"]["Env"])
    assert not re.search(r"(?i)(password|secret|token)=|://[^/@\s]+:[^/@\s]+@", words)


def test_the_api_has_the_page_inside(platform: Composed) -> None:
    import httpx

    page = httpx.get(platform.url(8000), headers={"Accept": "text/html"}, timeout=10)
    assert page.status_code == 200
    assert '<div id="root"' in page.text


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_is_healthy_on_a_read_only_root_as_nobody(name: str, platform: Composed) -> None:
    state = json.loads(docker("inspect", platform.name(name)))[0]
    assert state["State"]["Health"]["Status"] == "healthy"
    assert state["HostConfig"]["ReadonlyRootfs"]
    assert state["HostConfig"]["CapDrop"] == ["ALL"]
    uids = docker("exec", platform.name(name), "python", "-c", "print(open('/proc/1/status').read())")
    assert re.search(r"Uid:\s+10001\s+10001", uids)
    assert re.search(r"CapEff:\s+0{16}", uids)


async def test_two_people_talk_and_miss_nothing(platform: Composed) -> None:
    """Over the published ports: what the README shows of the local target."""
    api, gateway = platform.url(8000), platform.url(8001).replace("http", "ws") + "/v1/socket"
    seen: list[Any] = []
    async with ApiClient(api) as ada, ApiClient(api) as bob:
        for client, name in ((ada, "ada"), (bob, "bob")):
            await client.register(name, f"{name}@example.org", PASSWORD)
            await client.login(name, PASSWORD)
        channel = str((await ada.create_channel("hello", "Hello"))["id"])
        await bob.join(channel)

        async def ticket() -> Any:
            return await bob.ticket(api)

        async with SocketClient(gateway, ticket, on_event=seen.append, origin=api) as socket:
            await socket.subscribe({channel: Position(epoch=1, seq=0)})
            last = None
            for number in range(20):
                last = await ada.post_message(channel, f"message {number}")
            assert last is not None
            await eventually(lambda: (at := socket.position(channel)) and at.seq >= last.seq, within=20)
    seqs = [frame["seq"] for frame in seen]
    assert seqs == list(range(1, len(seqs) + 1))
    bodies = [frame["data"].get("body") for frame in seen if frame["data"].get("body")]
    assert bodies == [f"message {number}" for number in range(20)]


async def test_kafka_carries_it_to_the_figures(platform: Composed) -> None:
    """Relay, Kafka and analytics: a minute's window counts what was posted."""
    import httpx

    api = platform.url(8000)
    async with ApiClient(api) as eve:
        await eve.register("eve", "eve@example.org", PASSWORD)
        await eve.login("eve", PASSWORD)
        channel = str((await eve.create_channel("counted", "Counted"))["id"])
        for number in range(5):
            await eve.post_message(channel, f"count {number}")
        async with httpx.AsyncClient(base_url=api, timeout=10) as http:
            answer = await http.post("/v1/auth/login", json={"username": "eve", "password": PASSWORD})
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        async with httpx.AsyncClient(base_url=platform.url(8003), headers=headers, timeout=10) as figures:

            async def counted() -> bool:
                answer = await figures.get(f"/v1/analytics/channels/{channel}")
                return answer.status_code == 200 and '"messages":5' in answer.text.replace(" ", "")

            await eventually(counted, within=60, every=1.0)


def test_secrets_are_in_no_log_and_no_environment(platform: Composed) -> None:
    volume = docker("volume", "inspect", "--format", "{{.Mountpoint}}", f"{platform.prefix}-secrets")
    try:
        words = [path.read_text() for path in Path(volume).iterdir() if path.is_file()]
    except PermissionError:
        pytest.skip("only root can read a volume")
    assert len(words) > 15
    for service in platform.started:
        shown = platform.logs(service) + docker("inspect", platform.name(service))
        assert not [word for word in words if word in shown], service


@pytest.mark.parametrize("name", RUNNING[::-1])
def test_sigterm_ends_a_service_with_0_within_its_drain(name: str, platform: Composed) -> None:
    """The last test of this module: each service is stopped, those first whom nobody needs any more."""
    assert platform.stop(name) == 0, platform.logs(name)
