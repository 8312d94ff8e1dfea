"""Every rendering against the schemas of Kubernetes, strictly, by two programs; each finds a fault planted in each.

Resources of our own kinds are read by our own definitions. Kinds of others' operators have no schema here.
"""

import copy
import functools
import json
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from cases import RENDERS, SHAPES
from charting import CHARTS, Object, render

OLDEST, NEWEST = "1.33", "1.37"
KUBERNETES = "1.34"
FOREIGN = ("monitoring.coreos.com", "external-secrets.io", "gateway.networking.k8s.io")
OURS = "signalink.dev"
SECONDS = 110
PLANTED = "planted"
# Every validation would read the same files again: a second for each rendering of the umbrella.
kubernetes_validate.utils.schema_contents = functools.cache(kubernetes_validate.utils.schema_contents)


def group(one: Object) -> str:
    return str(one["apiVersion"]).split("/")[0]


def known(chart: str, case: str) -> list[Object]:
    """All of a rendering but foreign kinds."""
    return [one for one in render(chart, SHAPES[case](chart)).objects if group(one) not in FOREIGN]


def damaged(objects: Iterable[Object]) -> Object:
    """The workload of a rendering with a key that Kubernetes does not know."""
    one = copy.deepcopy(next(one for one in objects if one["kind"] in {"Deployment", "StatefulSet"}))
    one["spec"]["replica"] = 2
    return one


@functools.cache
def _verdict(version: str, text: str) -> str:
    try:
        kubernetes_validate.validate(json.loads(text), version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return (error.message or repr(error))[:500]
    return ""


def verdict(version: str, one: Object) -> str:
    """Nothing, or what kubernetes-validate finds wrong with an object."""
    return _verdict(version, json.dumps(one, sort_keys=True))


def wrong(version: str, objects: Iterable[Object]) -> dict[str, str]:
    """Name -> what is wrong, of Kubernetes' own kinds."""
    found = {f"{one['kind']} {one['metadata']['name']}": verdict(version, one) for one in objects if group(one) != OURS}
    return {name: text for name, text in found.items() if text}


@dataclass(frozen=True)
class Conformity:
    """What kubeconform says of one file: how many objects it found valid, and what of the others."""

    valid: int
    faults: tuple[str, ...]


def conformities() -> dict[tuple[str, str], Conformity]:
    """(chart or "planted/" + chart, case) -> what kubeconform says; one start of it for all renderings."""
    with tempfile.TemporaryDirectory(prefix="signalink-strict-") as name:
        folder = Path(name)
        _schemas(folder / "schemas")
        for chart, case in RENDERS:
            objects = known(chart, case)
            _write(folder / chart / f"{case}.yaml", objects)
            _write(folder / PLANTED / chart / f"{case}.yaml", [damaged(objects)])
        where = f"{folder}/schemas/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
        files = [str(path) for path in sorted(folder.rglob("*.yaml"))]
        command = ["kubeconform", "-strict", "-verbose", "-output", "json", "-kubernetes-version", f"{KUBERNETES}.0"]
        done = subprocess.run(
            [*command, "-schema-location", where, *files],
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
        resources = json.loads(done.stdout)["resources"]
    valid: Counter[str] = Counter(one["filename"] for one in resources if one["status"] == "statusValid")
    faults: dict[str, list[str]] = {}
    for one in resources:
        if one["status"] != "statusValid":
            faults.setdefault(one["filename"], []).append(f"{one['kind']} {one['name']}: {one['msg'] or one['status']}")
    return {
        (str(Path(file).parent.relative_to(folder)), Path(file).stem): Conformity(
            valid[file], tuple(faults.get(file, ()))
        )
        for file in files
    }


def _write(file: Path, objects: list[Object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n---\n".join(json.dumps(one) for one in objects), encoding="utf-8")


def _schemas(folder: Path) -> None:
    """The schemas that our validating package ships, and those of our definitions, as kubeconform looks for them."""
    bundled = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{KUBERNETES}.0-local-strict"
    shutil.copytree(bundled, folder, ignore=lambda _, names: [one for one in names if not _needed(one)])
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8").replace('"/api/_definitions.json', '"_definitions.json')
        document = {key: value for key, value in json.loads(text).items() if key != "$id"}
        path.write_text(json.dumps(document), encoding="utf-8")
    for path in (CHARTS / "operator/crds").iterdir():
        definition = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]
        for version in definition["versions"]:
            name = f"{definition['names']['kind'].lower()}-{OURS.split('.')[0]}-{version['name']}.json"
            schema = closed(version["schema"]["openAPIV3Schema"])
            schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
            (folder / name).write_text(json.dumps(schema), encoding="utf-8")


def _needed(name: str) -> bool:
    return name == "_definitions.json" or name.endswith(("-v1.json", "-v2.json"))


def closed(schema: Any) -> Any:
    """A definition's schema as JSON Schema that takes no other keys, as an API server's strict validation."""
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items() if not key.startswith("x-kubernetes-")}
    if "properties" in found:
        found["properties"] = {key: closed(value) for key, value in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            found.setdefault("additionalProperties", False)
    if found.pop("nullable", False):
        found["type"] = [found["type"], "null"]
    return found
