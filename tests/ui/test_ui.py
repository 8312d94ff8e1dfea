"""The browser page as a part of this repository: what is generated equals what is committed, its unit tests and types,
who imports whom, how heavy it is, and that its lock names no address. Node comes from the Python package."""

import gzip
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UI = ROOT / "services/ui"
SOURCE = UI / "src"
BUILT = ROOT / "services/api/signalink_api/ui_static"
FIRST_LOAD_BYTES = 250 * 1024
PAGES_BYTES = 60 * 1024
"""What a page that is loaded later may weigh, with everything it brings."""
GENERATED = {"openapi": "schema", "analytics.openapi": "analytics", "notifications.openapi": "notifications"}
"""Document below docs/api -> module below src/client."""
LAYERS = {"client": 0, "lib": 1, "components": 2, "features": 3, "app": 4}
"""Shared parts below features below the app; among the shared: client, then lib, then components."""


def make(*arguments: str) -> str:
    """`make` of this checkout, with the environment that runs the tests; answers what it said."""
    stamps = [f"--old-file={sys.prefix}/{stamp}" for stamp in (".dev", ".node", "bin/python")]
    ran = subprocess.run(
        ["make", *arguments, f"VENV={sys.prefix}", *stamps],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def page() -> Path:
    """The folder of the built page."""
    make("ui")
    return BUILT


@pytest.mark.timeout(300)
def test_the_page_builds_and_weighs_little_on_its_first_load(page: Path) -> None:
    index = (page / "index.html").read_text(encoding="utf-8")
    named = re.findall(r'(?:src|href)="/([^"]+)"', index)
    assert any(name.startswith("assets/") for name in named)
    weights = {name: len(gzip.compress((page / name).read_bytes(), 6)) for name in (*named, "index.html")}
    assert sum(weights.values()) <= FIRST_LOAD_BYTES, weights


@pytest.mark.timeout(300)
def test_charts_are_loaded_later_and_weigh_little(page: Path) -> None:
    """The chart library is in files that the first load does not name."""
    index = (page / "index.html").read_text(encoding="utf-8")
    later = [path for path in (page / "assets").iterdir() if path.name not in index]
    charts = [path for path in later if path.suffix == ".js" and "uplot" in path.read_text(encoding="utf-8")]
    assert charts, [path.name for path in later]
    weights = {path.name: len(gzip.compress(path.read_bytes(), 6)) for path in later}
    assert sum(weights.values()) <= PAGES_BYTES, weights


@pytest.mark.timeout(300)
def test_the_page_has_no_script_or_style_in_its_html(page: Path) -> None:
    index = (page / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", index)
    assert not re.search(r"https?://", index)


@pytest.mark.timeout(300)
def test_a_second_build_does_nothing(page: Path) -> None:
    before = (page / "index.html").stat().st_mtime_ns
    make("ui")
    assert (page / "index.html").stat().st_mtime_ns == before


@pytest.mark.timeout(300)
def test_the_unit_tests_of_the_page_pass(page: Path) -> None:
    said = re.sub(r"\x1b\[[0-9;]*m", "", make("npm", "RUN=test"))
    passed = re.search(r"Tests +(\d+) passed", said)
    assert passed is not None, said
    assert int(passed[1]) >= 80
    assert "failed" not in said


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("document", "module"), GENERATED.items())
def test_the_types_of_a_service_equal_its_published_document(
    document: str, module: str, page: Path, tmp_path: Path
) -> None:
    made = tmp_path / f"{module}.d.ts"
    make("npm", f"RUN=exec -- openapi-typescript ../../docs/api/{document}.json --default-non-nullable false -o {made}")
    assert made.read_text(encoding="utf-8") == (SOURCE / f"client/{module}.d.ts").read_text(encoding="utf-8")


def test_the_lock_pins_every_package_with_a_hash_and_names_no_address() -> None:
    packages = json.loads((UI / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    found = {name: about for name, about in packages.items() if name}
    assert len(found) > 50
    assert [name for name, about in found.items() if "resolved" in about] == []
    assert [name for name, about in found.items() if not about.get("integrity", "").startswith("sha512-")] == []


def imports(folder: Path = SOURCE) -> Iterator[tuple[str, str]]:
    """(module, imported module), both as paths below src."""
    for path in sorted([*folder.rglob("*.ts"), *folder.rglob("*.tsx")]):
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r'(?:from|import)\s*\(?"([^"]+)"', text):
            if target.startswith("@/"):
                yield path.relative_to(folder).as_posix(), target.removeprefix("@/")
            elif target.startswith("."):
                inner = (path.parent / target).resolve().relative_to(folder.resolve())
                yield path.relative_to(folder).as_posix(), inner.as_posix()


def misplaced(folder: Path = SOURCE) -> list[str]:
    found = []
    for module, target in imports(folder):
        (layer, *rest), (below, *inner) = module.split("/"), target.split("/")
        if LAYERS[below] > LAYERS[layer]:
            found.append(f"{module} imports {target}: {below} is above {layer}")
        elif layer == below == "features" and rest[0] != inner[0]:
            found.append(f"{module} imports {target}: features do not know each other")
        elif layer != "client" and below == "client" and inner:
            found.append(f"{module} imports {target}: import what @/client offers")
    return found


def test_imports_go_from_shared_parts_over_features_to_the_app() -> None:
    assert len(list(imports())) > 50
    assert misplaced() == []


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("client/a.ts", 'import { b } from "@/lib/b";'),
        ("components/a.tsx", 'import { b } from "@/features/b/api/b";'),
        ("features/a/api/a.ts", 'import { b } from "../../b/api/b";'),
        ("features/a/api/a.ts", 'import { App } from "@/app/App";'),
        ("lib/a.ts", 'import { b } from "@/client/socket";'),
    ],
)
def test_an_import_the_other_way_is_found(path: str, line: str, tmp_path: Path) -> None:
    planted = tmp_path / path
    planted.parent.mkdir(parents=True)
    planted.write_text(line)
    assert len(misplaced(tmp_path)) == 1


def test_the_client_knows_no_react_and_nothing_writes_html() -> None:
    for path in SOURCE.rglob("*.ts*"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"dangerouslySetInnerHTML|innerHTML|document\.write|\beval\(", text), path
        if path.is_relative_to(SOURCE / "client"):
            assert not re.search(r'from "(?:react|@tanstack)', text), path


def test_every_module_says_what_it_owns() -> None:
    modules = [path for path in (*SOURCE.rglob("*.ts"), *SOURCE.rglob("*.tsx")) if not path.name.endswith(".d.ts")]
    silent = [path.name for path in modules if not path.read_text(encoding="utf-8").startswith(("/*", "//"))]
    assert silent == []
    assert [path.name for path in modules if len(path.read_text(encoding="utf-8").splitlines()) > 400] == []
