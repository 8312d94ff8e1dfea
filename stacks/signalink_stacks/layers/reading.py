"""Reads the stack's configuration from Pulumi, checks it whole, and gathers what the program begins with.

Nothing is registered before this is through. What may stand in a configuration is `lib.config`'s matter.
"""

import json
import os
import tomllib
from collections.abc import Mapping
from typing import Any, Final

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env, is_config_secret

from signalink_core.errors import ConfigurationError
from signalink_stacks.charts.vendoring import vendor
from signalink_stacks.components.site import Materials
from signalink_stacks.lib import chartfolder, config, images, overrides, registry, words
from signalink_stacks.lib.reading import Fault

PREFIX: Final = "signalink:"
SECRETS: Final = "secrets"


def raw(everything: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of this project without their prefix; tables and lists as such, all else as the text Pulumi hands over."""
    found: dict[str, Any] = {}
    for key, text in everything.items():
        if key.startswith(PREFIX):
            found[key.removeprefix(PREFIX)] = _value(text)
    return found


def judged(everything: Mapping[str, Any]) -> dict[str, Any]:
    """The same as this run is judged by: one that makes the registry alone by no other registry that is named still."""
    alone = os.environ.get(registry.ONLY) == registry.ALONE
    return overrides.laid(raw(everything), overrides.NO_REGISTRY if alone else ())


def _value(text: Any) -> Any:
    if not isinstance(text, str) or not text.startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def materials() -> Materials:
    """What the program begins with; ConfigurationError with everything that is wrong with the stack's configuration."""
    root = images.root()
    stack = pulumi.get_stack()
    found = judged({**get_config_env(), **CONFIG.get()})
    settings, faults = config.read(stack, found, charts=chartfolder.charts(root))
    faults += words.faults(settings, root)
    if found.get(SECRETS) and not is_config_secret(PREFIX + SECRETS):
        empty = f"`pulumi config set -s {stack} --secret {PREFIX}{SECRETS} '{{}}'`"
        fix = f"{empty}, then `python -m signalink_stacks.clusters.words {stack}`"
        faults.append(Fault(SECRETS, "values in clear", "values that Pulumi encrypts", fix))
    if faults:
        raise config.refusal(stack, faults)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return Materials(
        config=settings,
        root=root,
        charts=chartfolder.whole(root, vendor),
        words=pulumi.Output.secret(found.get(SECRETS, {})),
        version=project["version"],
    )


def refused(error: ConfigurationError) -> pulumi.RunError:
    """The same as what Pulumi prints without a traceback."""
    return pulumi.RunError(str(error))
