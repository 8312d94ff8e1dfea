"""`python -m signalink_stacks.charts write|check|vendor [FOLDER]`: the generated files of charts/, and whole charts.

write puts every file in its place and removes what is generated no more; check exits 1 and names what differs; vendor
copies whole charts (dependencies inside) to FOLDER, default dist/charts.
"""

import argparse
import sys
from pathlib import Path

from signalink_core.errors import ConfigurationError
from signalink_stacks.charts.vendoring import vendor
from signalink_stacks.charts.writing import Checkout

EXIT_DIFFERS = 1
EXIT_USAGE = 64


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m signalink_stacks.charts")
    parser.add_argument("--root", type=Path, default=Path.cwd(), help="the checkout")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("write", help="write the generated files")
    commands.add_parser("check", help="say which of them differ")
    vendoring = commands.add_parser("vendor", help="copy whole charts, their dependencies inside")
    vendoring.add_argument("folder", type=Path, nargs="?", default=Path("dist/charts"))
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "vendor":
            names = vendor(chosen.root / "charts", chosen.folder)
            sys.stdout.write(f"{len(names)} charts in {chosen.folder}: {', '.join(names)}\n")
            return 0
        return _generate(chosen.root, write=chosen.command == "write")
    except (ConfigurationError, FileNotFoundError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE


def differing(root: Path) -> dict[str, str]:
    """Path below charts/ -> the text it should have, where that is not what is there."""
    folder = root / "charts"
    return {
        name: text
        for name, text in Checkout(root).files().items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text
    }


def _generate(root: Path, *, write: bool) -> int:
    found = differing(root)
    for name, text in sorted(found.items()):
        sys.stdout.write(f"charts/{name}\n")
        if write:
            path = root / "charts" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if found and not write:
        sys.stderr.write("These files are not as they are generated. Next: make charts\n")
        return EXIT_DIFFERS
    return 0


if __name__ == "__main__":
    sys.exit(main())
