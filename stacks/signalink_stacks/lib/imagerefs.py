"""Owns by which reference an image of ours is run where no chart says it: the same rules as the charts' own. Pure."""

from signalink_stacks.lib.settings import Images


def reference(images: Images, registry: str, repository: str, version: str) -> str:
    """`[registry/]repository:tag[@digest]`; `version` is the tag where the stack names none."""
    whole = mapped(images, f"{registry}/{repository}" if registry else repository)
    tag = images.tag if images.dev and images.tag else version
    digest = images.digests.get(repository, "")
    return f"{whole}:{tag}" + (f"@{digest}" if digest and not images.dev else "")


def mapped(images: Images, whole: str) -> str:
    """The longest prefix of the map that fits is replaced."""
    fitting = [prefix for prefix in images.map if whole == prefix or whole.startswith(f"{prefix}/") or not prefix]
    if not fitting:
        return whole
    prefix = max(fitting, key=len)
    rest = whole[len(prefix) :].lstrip("/")
    return f"{images.map[prefix]}/{rest}" if rest else images.map[prefix]
