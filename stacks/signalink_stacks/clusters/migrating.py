"""Owns the refusal of migrations as hooks: `signalink up` waits for pods, which wait for the hooks. Pure.

Helm runs a hook after an install only when all pods are ready, with `--wait`; Pulumi runs no hook at all: what
a stack's own file says is refused where it is read (`lib.config`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from signalink_core.errors import ConfigurationError
from signalink_stacks.lib import chartvalues

SET: Final = re.compile(r"(?:^|,)\s*([-a-zA-Z0-9]+)\.migrations\.mode=([^,]*)")
"""In the text of one `--set`, which may hold several."""


def require_jobs(files: Mapping[str, str], settings: Sequence[str]) -> None:
    """ConfigurationError when the values leave a chart with `migrations.mode: hook`.

    `files`: path of a file of values -> its text, the last one on top; `settings`: of `--set`, above them.
    """
    modes: dict[str, str] = {}
    for path, text in files.items():
        try:
            modes |= _of_file(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise ConfigurationError(
                f"{path} is no YAML: {error}", next_step="a file of values begins as `chart: {key: value}`."
            ) from error
    for each in settings:
        modes |= dict(SET.findall(each))
    wrong = sorted(chart for chart, mode in modes.items() if mode == chartvalues.HOOK)
    if wrong:
        raise ConfigurationError(
            f"{wrong[0]}.migrations.mode is hook: `signalink up` waits until all pods are ready, and these wait for "
            "the schemas that a hook would bring only afterwards.",
            next_step="leave it at job, the default; or install by `helm install` without --wait.",
        )


def _of_file(found: Any) -> dict[str, str]:
    """Chart -> mode, of one file of values; what is no table is somebody else's to refuse."""
    tables = found.items() if isinstance(found, dict) else ()
    return {str(chart): mode for chart, its in tables if (mode := chartvalues.migrations(its))}
