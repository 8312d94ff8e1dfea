"""The ```console fences of documents: read, run in one shell in order, compared with what they print.

In what a document says is printed, `...` stands for anything.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

SENTINEL = "@@console@@"
COMMAND_SECONDS = 280.0


def commands(text: str) -> list[tuple[str, list[str]]]:
    """(command, lines it is said to print) of every console fence, in order."""
    found: list[tuple[str, list[str]]] = []
    for fence in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in fence.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def missing_line(said: list[str], printed: str) -> str | None:
    """The first said line that does not come in the printed text, in order; `...` matches anything within a line."""
    lines = iter(printed.splitlines())
    for line in said:
        words = [re.escape(" ".join(part.split())) for part in line.split("...")]
        if any(words) and not any(re.fullmatch(".*".join(words), " ".join(printed.split())) for printed in lines):
            return line
    return None


class Shell:
    """One bash process, so that variables of one command are there in the next; every command has a deadline."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, command: str) -> tuple[int, str]:
        """Exit code and output (both streams) of one command."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\nprintf '\\n{SENTINEL} %s\\n' $?\n".encode())
        await self._process.stdin.drain()
        printed = []
        async with asyncio.timeout(COMMAND_SECONDS):
            while line := (await self._process.stdout.readline()).decode(errors="replace"):
                if line.startswith(SENTINEL):
                    return int(line.split()[1]), "".join(printed)
                printed.append(line)
        raise AssertionError(f"the shell ended during {command!r}: {''.join(printed)}")


@asynccontextmanager
async def opened(folder: Path | None = None, environment: Mapping[str, str] | None = None) -> AsyncIterator[Shell]:
    """A shell in this folder, with this environment (None: ours)."""
    process = await asyncio.create_subprocess_exec(
        "bash", "--norc", cwd=folder, env=environment, stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Shell(process)
    finally:
        process.kill()
        await process.communicate()
