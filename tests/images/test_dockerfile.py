"""The rules D01 to D06 of services/Dockerfile as far as reading it can show them; each is shown a bad sample.

That the images do what the file says (size, contents, health, signals) is `test_running_images.py`'s, with an engine.
"""

import json
import re
import tomllib
from collections.abc import Callable
from fnmatch import fnmatch

import dockerfiles
import pytest
from dockerfiles import Stage

from signalink_stacks.lib import images

ROOT = images.root()
TEXT = (ROOT / "services/Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LABELS = [
    *(f"org.opencontainers.image.{name}" for name in ("title", "version", "revision", "source", "licenses")),
    *("org.opencontainers.image.base.name", "org.opencontainers.image.base.digest", "dev.signalink.sbom"),
]
Rule = Callable[[list[Stage]], list[str]]


def base_is_an_argument(stages: list[Stage]) -> list[str]:
    """D01: several stages, each from BASE_IMAGE or from an earlier stage; its default is the catalogue's reference."""
    names = {stage.name for stage in stages}
    wrong = [stage.base for stage in stages[1:] if stage.base not in names | {"${BASE_IMAGE}"}]
    default = f"BASE_IMAGE={images.load().base.reference}"
    wrong += [] if default in stages[0].all("ARG") else [f"the default is not {default}"]
    return wrong if len(stages) > 2 else [*wrong, "one stage"]


def what_is_installed_is_locked(stages: list[Stage]) -> list[str]:
    """D02: every install is by hash and from wheels, or is our own wheel; nothing is installed in the last stage."""
    installs = [run for stage in stages for run in stage.all("RUN") if " install " in run]
    found = [
        run
        for run in installs
        for command in re.findall(r"pip [^&]*install [^&]*", run)
        if not ({"--require-hashes", "--no-deps"} <= set(command.split()) or "--no-index /dist/" in command)
    ]
    return (
        found + stages[-1].all("RUN") + [run for run in installs if re.search(r"\b(apt|apt-get|apk|curl|wget)\b", run)]
    )


def the_wheel_is_built_once(stages: list[Stage]) -> list[str]:
    """D02: stages that build page and wheel know nothing of SERVICE, so that an engine's cache shares them."""
    shared = [stage for stage in stages[1:] if stage.name in {"tools", "page", "wheel"}]
    return [stage.name for stage in shared if "SERVICE" in " ".join(each.text for each in stage.instructions)]


def user_is_a_number(stages: list[Stage]) -> list[str]:
    """D03: so that a cluster can see that it is not root."""
    return [] if stages[-1].all("USER") == ["10001:10001"] else ["USER"]


def commands_are_lists(stages: list[Stage]) -> list[str]:
    """D04: a shell in between would take the signals."""
    entry = stages[-1].all("ENTRYPOINT")
    health = [text.partition("CMD ")[2] for text in stages[-1].all("HEALTHCHECK")]
    wrong = [text for text in [*entry, *health] if not _is_list(text)]
    return wrong if len(entry) == 1 and len(health) == 1 and not stages[-1].all("CMD") else [*wrong, "how many"]


def _is_list(text: str) -> bool:
    try:
        return isinstance(json.loads(text), list)
    except ValueError:
        return False


def labels_and_contents_are_told(stages: list[Stage]) -> list[str]:
    """D05: every label once, and the list of what is inside where the label says."""
    told = re.findall(r"([\w.]+)=", " ".join(stages[-1].all("LABEL")))
    missing = [name for name in LABELS if told.count(name) != 1]
    [install] = [stage for stage in stages if stage.name == "install"]
    made = '--output-file "/image/usr/share/sbom/signalink-${SERVICE}.cdx.json"' in " ".join(install.all("RUN"))
    return missing if made and "--from=install /image /" in stages[-1].all("COPY") else [*missing, "no SBOM"]


def no_secret_is_an_argument(stages: list[Stage]) -> list[str]:
    """D06: arguments and environments stay in the image's history."""
    words = [text for stage in stages for name in ("ARG", "ENV") for text in stage.all(name)]
    return [text for text in words if re.search(r"(?i)(secret|password|token|credential|api_?key)", text)]


def times_are_fixed(stages: list[Stage]) -> list[str]:
    """D06: what goes into the image has the commit's time, and bytecode carries none."""
    [install] = [stage for stage in stages if stage.name == "install"]
    last = install.all("RUN")[-1]
    wanted = ("--invalidation-mode unchecked-hash", 'touch --no-dereference --date="@${SOURCE_DATE_EPOCH}"')
    return [text for text in wanted if text not in last]


RULES: list[tuple[Rule, str, str]] = [
    (base_is_an_argument, "FROM ${BASE_IMAGE} AS service", "FROM python:3 AS service"),
    (base_is_an_argument, images.load().base.reference, "python:3.9"),
    (what_is_installed_is_locked, "--require-hashes --no-deps --only-binary :all: -r requirements/ui.txt", "-r x"),
    (what_is_installed_is_locked, "USER 10001:10001", "RUN apt-get install -y curl\nUSER 10001:10001"),
    (the_wheel_is_built_once, "FROM tools AS wheel", "FROM tools AS wheel\nARG SERVICE"),
    (user_is_a_number, "USER 10001:10001", "USER signalink"),
    (user_is_a_number, "USER 10001:10001", ""),
    (commands_are_lists, '["/app/bin/signalink-service"]', "/app/bin/signalink-service"),
    (commands_are_lists, 'CMD ["python", "-m", "signalink_core.health"]', "CMD python -m signalink_core.health"),
    (labels_and_contents_are_told, "org.opencontainers.image.revision=", "revision="),
    (labels_and_contents_are_told, "COPY --from=install /image /", ""),
    (labels_and_contents_are_told, "/image/usr/share/sbom/signalink-", "/image/sbom/"),
    (no_secret_is_an_argument, "ARG PIP_INDEX_URL", "ARG PIP_TOKEN"),
    (times_are_fixed, "--invalidation-mode unchecked-hash ", ""),
]


@pytest.mark.parametrize("rule", dict.fromkeys(rule for rule, _, _ in RULES), ids=lambda rule: rule.__name__)
def test_the_dockerfile_keeps_the_rule(rule: Rule) -> None:
    assert rule(dockerfiles.parse(TEXT)) == []


@pytest.mark.parametrize(("rule", "good", "bad"), RULES)
def test_the_rule_finds_a_bad_sample(rule: Rule, good: str, bad: str) -> None:
    assert good in TEXT
    assert rule(dockerfiles.parse(TEXT.replace(good, bad))) != []


def test_every_service_has_the_lock_that_its_image_installs() -> None:
    for image in images.load().services():
        assert (ROOT / "requirements" / f"{image.name}.txt").is_file()
        assert image.name in PROJECT["project"]["optional-dependencies"]


def admitted(path: str, rules: list[str]) -> bool:
    """Docker's rule: the last pattern that fits a path or a folder above it decides; nothing fits: it is sent."""
    parts = path.split("/")
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    sent = True
    for rule in rules:
        pattern = rule.removeprefix("!")
        names = [*above, *(part for part in parts if pattern.startswith("**/"))]
        if any(
            fnmatch(name, pattern.removeprefix("**/"))
            if "/" not in pattern.removeprefix("**/")
            else fnmatch(name, pattern)
            for name in names
        ):
            sent = rule.startswith("!")
    return sent


IGNORE = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


def test_the_context_is_an_allow_list() -> None:
    assert IGNORE[0] == "*"
    for stray in (".git/config", ".signalink/secrets/redis-api", ".venv/bin/python", "tests/conftest.py", "notes.txt"):
        assert not admitted(stray, IGNORE), stray
    for stray in ("services/ui/node_modules/a/b.js", "services/api/.env", "stacks/key.pem", "labs/x/__pycache__/a.pyc"):
        assert not admitted(stray, IGNORE), stray
    assert admitted("notes.txt", ["a", "b"])


def test_everything_the_wheel_is_made_of_is_in_the_context_and_is_copied() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    [stage] = [stage for stage in dockerfiles.parse(TEXT) if stage.name == "wheel"]
    copied = [word for text in stage.all("COPY") for word in text.split()[:-1]]
    for path in [*wheel["packages"], *wheel["force-include"], "pyproject.toml", "LICENSE", "README.md"]:
        assert (ROOT / path).exists()
        assert admitted(path, IGNORE), path
        assert any(path == top or path.startswith(f"{top}/") for top in copied), path
