"""Owns the Pulumi project of the stacks that `signalink up` makes: a folder `stacks` in the state folder.

    Pulumi.yaml  config/Pulumi.STACK.yaml  passphrase (0600)  backend/  env (for a shell: what the engine needs)

The checkout is left as it is. Backend and passphrase are those that the person has set; only else they are made here.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from signalink_stacks.delivery.rollout import Engine
from signalink_stacks.local.credentials import write_private
from signalink_stacks.local.state import StateFolder

FOLDER: Final = "stacks"
BACKEND: Final = "PULUMI_BACKEND_URL"
PASSPHRASES: Final = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
LINKS: Final = ("stacks", ".venv-stacks")
"""What the program and its packs are reached by from the project's folder."""
BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Project:
    """One stack in the folder that all of them share. `root`: the checkout."""

    state: StateFolder
    stack: str
    root: Path

    @property
    def folder(self) -> Path:
        return self.state.root / FOLDER

    @property
    def backend(self) -> Path:
        """Of a person who has set none."""
        return self.folder / "backend"

    @property
    def config(self) -> Path:
        return self.folder / f"config/Pulumi.{self.stack}.yaml"

    @property
    def own(self) -> bool:
        """Whether the state lies here, and nobody else writes it."""
        return not os.environ.get(BACKEND)

    @property
    def env(self) -> dict[str, str]:
        """What the engine is told beside the environment."""
        found = {"PULUMI_SKIP_UPDATE_CHECK": "true"}
        if self.own:
            found[BACKEND] = address(self.backend)
        if not any(name in os.environ for name in PASSPHRASES):
            found[PASSPHRASES[1]] = str(self.folder / "passphrase")
        return found

    @property
    def engine(self) -> Engine:
        return Engine(self.stack, self.folder, self.env)

    def known(self) -> bool:
        """Whether `up` made this stack from here, and `down` did not take it away."""
        return self.config.is_file()

    def prepare(self) -> None:
        """The folder, and the stack in its backend. A second call changes nothing."""
        self.state.open()
        for folder in (self.folder, self.backend, self.config.parent):
            folder.mkdir(mode=0o700, exist_ok=True)
        text = (self.root / "Pulumi.yaml").read_text(encoding="utf-8")
        own = text.replace("stackConfigDir: stacks/config", "stackConfigDir: config")
        (self.folder / "Pulumi.yaml").write_text(own, encoding="utf-8")
        for name in LINKS:
            _link(self.folder / name, self.root / name)
        if not (self.folder / "passphrase").exists():
            write_private(self.folder / "passphrase", secrets.token_urlsafe(BYTES))
        write_private(self.folder / "env", "".join(f"export {key}='{value}'\n" for key, value in self.env.items()))
        self.engine("stack", "select", "--create")

    def said(self) -> dict[str, Any]:
        """The stack's configuration as its file has it, secrets encrypted."""
        return dict(self._document().get("config") or {})

    def say(self, config: Mapping[str, Any]) -> None:
        """Write it; what else the engine keeps in that file stays."""
        write_private(self.config, yaml.safe_dump(self._document() | {"config": dict(config)}, sort_keys=False))

    def base(self, target: str) -> dict[str, Any]:
        """What the checkout says of every stack of a target."""
        text = (self.root / f"stacks/config/Pulumi.{target}.yaml").read_text(encoding="utf-8")
        return dict((yaml.safe_load(text) or {}).get("config") or {})

    def forget(self, *, everything: bool) -> None:
        """Take the stack out of the backend, whatever it holds; its configuration too where `everything` is gone."""
        self.engine("stack", "rm", "--force", "--yes", "--preserve-config")
        if everything:
            self.config.unlink(missing_ok=True)

    def _document(self) -> dict[str, Any]:
        return dict(yaml.safe_load(self.config.read_text(encoding="utf-8")) or {}) if self.config.exists() else {}


def address(folder: Path) -> str:
    """The address of a backend in a folder of this machine, which a kill at any moment leaves readable.

    Without `metadata=skip` the engine writes what it knows of a state into a second file, in place: one that was cut
    there makes every later command end with `failed to load checkpoint: EOF`.
    """
    return f"file://{folder}?metadata=skip"


def find(stack: str, state: StateFolder, root: Path) -> tuple[Engine, Path | None]:
    """The engine for a stack wherever it is, and its file: made by `signalink up`, else one of the checkout (None)."""
    project = Project(state, stack, root)
    return (project.engine, project.config) if project.known() else (Engine(stack, root), None)


def stacks(state: StateFolder) -> list[str]:
    """Names of the stacks that `signalink up` made from this state folder and that are not taken away."""
    found = (state.root / FOLDER / "config").glob("Pulumi.*.yaml")
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in found)


def _link(link: Path, target: Path) -> None:
    """Made again where it leads to another checkout."""
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)
