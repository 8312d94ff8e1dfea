"""Reads a Dockerfile into its stages: instructions with their words, continuations joined, comments left out."""

import re
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    name: str
    text: str


@dataclass
class Stage:
    """`base` as written after FROM; what stands before the first FROM is the stage called ''."""

    name: str
    base: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [each.text for each in self.instructions if each.name == name]


def parse(text: str) -> list[Stage]:
    stages = [Stage("", "")]
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", "", lines).splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            base, _, alias = rest.partition(" AS ")
            stages.append(Stage(alias, base))
        elif name:
            stages[-1].instructions.append(Instruction(name, rest.strip()))
    return stages


def read(path: Path) -> list[Stage]:
    return parse(path.read_text(encoding="utf-8"))
