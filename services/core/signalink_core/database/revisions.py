"""Which revisions a package of migrations ships, and which of them its newest schema serves; nothing is imported.

A revision file may say `contract = True`: it takes something away, so that code of revisions before it does not run on
the schema any more. Everything else only adds, and serves the code before it too. Needs no Alembic, so that every image
can ask.
"""

import ast
from dataclasses import dataclass
from importlib import resources

from signalink_core.errors import ConfigurationError

FOLDER = "versions"


@dataclass(frozen=True, slots=True)
class Revision:
    name: str
    after: str | None
    contract: bool = False


def shipped(package: str) -> list[Revision]:
    """From the first to the newest. Raises ConfigurationError where the package is missing or is not one line."""
    try:
        files = sorted(resources.files(package).joinpath(FOLDER).iterdir(), key=lambda file: file.name)
        found = [_read(file.read_text(encoding="utf-8")) for file in files if file.name.startswith("v")]
    except (ImportError, OSError) as error:
        raise ConfigurationError(
            f"{package} is no package of migrations: {error}.", next_step="name one, as signalink_api.migrations."
        ) from error
    return in_order(found, package)


def in_order(found: list[Revision], package: str) -> list[Revision]:
    """The chain from the revision that follows none."""
    following = {revision.after: revision for revision in found}
    ordered: list[Revision] = []
    place: str | None = None
    while (revision := following.pop(place, None)) is not None:
        ordered.append(revision)
        place = revision.name
    if following or len(ordered) != len(found) or not ordered:
        raise ConfigurationError(
            f"The revisions of {package} are not one line.", next_step="let each follow exactly one other."
        )
    return ordered


def head(package: str) -> str:
    return shipped(package)[-1].name


def served(revisions: list[Revision]) -> list[str]:
    """Names of the revisions whose code runs on the newest schema: back to the last contract, that one included."""
    names: list[str] = []
    for revision in reversed(revisions):
        names.append(revision.name)
        if revision.contract:
            break
    return names


def _read(source: str) -> Revision:
    values: dict[str, object] = {}
    for node in ast.parse(source).body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(getattr(node, "value", None), ast.Constant):
                values[target.id] = node.value.value  # type: ignore[attr-defined]
    after = values.get("down_revision")
    return Revision(str(values.get("revision")), None if after is None else str(after), values.get("contract") is True)
