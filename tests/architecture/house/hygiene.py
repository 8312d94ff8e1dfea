"""What must not be in a tracked file: hosts of package registries, paths of one machine, secrets in clear.

The patterns are written so that this file does not match itself.
"""

import re

from house.sources import Tree

REGISTRIES = re.compile(
    r"(?:pypi|pythonhosted|npmjs|yarnpkg|crates|rubygems|anaconda)[.](?:org|com|io)|maven[.](?:org|apache|google)"
    r"|repo1?[.]maven|registry[.]k8s|(?:docker|ghcr|quay|gcr|ecr)[.](?:io|com|aws)|proxy[.]golang",
    re.IGNORECASE,
)
INSIDE_IMAGES = r"opt/(?:kafka|java)\b|mnt/shared/config\b"
"""Where the official image of Kafka has its programs and looks for properties: the same on every machine."""
MACHINE_PATHS = re.compile(rf"(?<![\w.$}}~/-])/(?!{INSIDE_IMAGES})(?:root|home|work|Users|mnt|opt)/\w")
SECRETS = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=]{16}|AKIA[0-9A-Z]{16}")


def registry_hosts(tree: Tree) -> list[str]:
    return _lines(tree, REGISTRIES, "a registry's host")


def machine_paths(tree: Tree) -> list[str]:
    return _lines(tree, MACHINE_PATHS, "a path of one machine")


def secrets(tree: Tree) -> list[str]:
    return [
        tree.at(path, text.count("\n", 0, match.start()) + 1, "a secret in clear")
        for path, text in tree.texts()
        for match in SECRETS.finditer(text)
    ]


def _lines(tree: Tree, pattern: re.Pattern[str], what: str) -> list[str]:
    return [
        tree.at(path, number, f"{what}: {line.strip()[:80]}")
        for path, text in tree.texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if pattern.search(line)
    ]
