"""Owns the kinds Topic and Channel of a cluster: which namespaces use them, and taking them away when none does.

They are the whole cluster's, and no stack's: `pulumi destroy` and `helm uninstall` leave them (decision 0131).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from signalink_core.errors import DependencyUnavailable
from signalink_stacks.clusters import plan, run
from signalink_stacks.clusters.plan import Access

GROUP: Final = "signalink.dev"
OPERATORS: Final = "app.kubernetes.io/part-of=signalink,app.kubernetes.io/name=operator"
"""An operator watches them before it has any."""
NAMESPACES: Final = "--output=jsonpath={range .items[*]}{.metadata.namespace}{'\\n'}{end}"
Say = Callable[[str], None]


def others(access: Access, namespace: str) -> list[str]:
    """Namespaces beside this one with Topics, Channels or an operator of ours: they need the kinds."""
    found = run.ask(access.kubectl("get", "deployments", "--all-namespaces", f"--selector={OPERATORS}", NAMESPACES))
    if kinds := run.ask(access.kubectl("api-resources", f"--api-group={GROUP}", "--output=name")).split():
        found += "\n" + run.ask(access.kubectl("get", ",".join(kinds), "--all-namespaces", NAMESPACES))
    return sorted(set(found.split()) - {namespace})


def remove(access: Access, namespace: str, root: Path, say: Say) -> bool:
    """Take the kinds away, after what was in `namespace`, unless somebody else uses them. Whether they are gone.

    What stands in the way is said, not raised: the platform itself is gone by then.
    """
    step = plan.undefine(access)
    try:
        if users := others(access, namespace):
            say(f"definitions: left, since {', '.join(users)} use Topics and Channels too")
            return False
        run.steps([step], root, say)
    except DependencyUnavailable as error:
        say(f"warning: {error.detail.splitlines()[-1]} Topics and Channels stay known: `{' '.join(step.command)}`")
        return False
    return True
