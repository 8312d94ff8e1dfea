"""Owns what a stack of `signalink up --target kind|existing` is called and what it says, from wishes alone. Pure.

Values of the umbrella chart, from files and `--set`, become the stack's key `values`: both doors take the same ones.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from signalink_core.errors import ConfigurationError
from signalink_stacks.clusters.plan import RELEASE, Access, Wishes
from signalink_stacks.lib import chartvalues

PREFIX: Final = "signalink:"
MOST: Final = 63
"""It is also the value of a label."""
HASH: Final = 6
KEY: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
IMAGES: Final = {
    "imageRegistry": "registry",
    "imageTag": "tag",
    "devImages": "dev",
    "imageMap": "map",
    "imageDigests": "digests",
}
"""Values of the umbrella that a stack says by its key `images`: the policy pack looks there."""
Table = dict[str, Any]


def name(wishes: Wishes, access: Access) -> str:
    """One stack for each namespace of each cluster; `kind` where nothing was named."""
    named = [] if wishes.namespace == RELEASE else [wishes.namespace]
    if wishes.target == "kind":
        return _within("-".join(["kind", *([] if wishes.cluster == RELEASE else [wishes.cluster]), *named]))
    return _within("-".join(["existing", access.context, *named]), access.kubeconfig)


def _within(text: str, more: str = "") -> str:
    """In small letters and within the limit; a hash tells apart what would become one name."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if plain == text and len(plain) <= MOST and not more:
        return plain
    digest = hashlib.sha256(f"{text}\0{more}".encode()).hexdigest()[:HASH]
    return f"{plain[: MOST - HASH - 1].rstrip('-')}-{digest}"


def settings(wishes: Wishes, access: Access, base: Mapping[str, Any], kept: Mapping[str, Any], values: Table) -> Table:
    """The stack's whole configuration: `base` is the target's file in stacks/config, `kept` what this stack said."""
    given = {key: value for key, value in values.items() if key not in ("tags", chartvalues.GLOBAL)}
    images = pictured(values)
    shared = {key: value for key, value in (values.get(chartvalues.GLOBAL) or {}).items() if key not in IMAGES}
    given |= {chartvalues.GLOBAL: shared} if shared else {}
    cluster: Table = {"context": access.context, "namespace": wishes.namespace}
    cluster |= {"kubeconfig": access.kubeconfig} if access.kubeconfig else {}
    cluster |= {"yes": True} if wishes.yes else {}
    told: Table = {"target": wishes.target, "cluster": cluster} | ({"values": given} if given else {})
    told |= {"images": images} if images else {}
    # As in the umbrella, what watches is off unless it is asked for.
    watched = (values.get("tags") or {}).get("observability", base.get(f"{PREFIX}observability", False))
    found = chartvalues.merged(
        base, {PREFIX + key: value for key, value in (told | {"observability": watched}).items()}
    )
    # The secrets were made once; on kind the last deployment said which images.
    remembered = ("secrets", "images") if wishes.target == "kind" else ("secrets",)
    return found | {PREFIX + key: kept[PREFIX + key] for key in remembered if PREFIX + key in kept}


def pictured(values: Table) -> Table:
    """What values of the umbrella say of images, as the stack's key `images` has it."""
    shared = values.get(chartvalues.GLOBAL) or {}
    return {IMAGES[key]: shared[key] for key in sorted(shared.keys() & IMAGES.keys())}


def values(texts: Sequence[str], settings: Sequence[str]) -> Table:
    """Values of the umbrella from the texts of files, the later over the earlier, then from `NAME.NAME=VALUE`."""
    tables = [yaml.safe_load(text) or {} for text in texts]
    if wrong := [number for number, table in enumerate(tables, 1) if not isinstance(table, dict)]:
        raise ConfigurationError(f"File {wrong[0]} of --values holds no table.", next_step="`chart: {key: value}`")
    return chartvalues.merged(*tables, *(_set(each) for each in settings))


def _set(text: str) -> Table:
    key, equals, value = text.partition("=")
    if not equals or not KEY.fullmatch(key) or value.startswith(("{", "[")):
        raise ConfigurationError(
            f"--set {text!r} is not NAME.NAME=VALUE.", next_step="lists and tables go into a file: --values FILE"
        )
    found: Any = yaml.safe_load(value) if value else ""
    for part in reversed(key.split(".")):
        found = {part: found}
    return dict(found)
