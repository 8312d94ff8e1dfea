"""`python tests/charts/rendering.py`: writes charts/rendered, what each chart makes of its defaults."""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))

from charting import ENGINES, OBSERVERS, ROOT, SERVICES, render
from checklist_renders import rendered_text

FOLDER = ROOT / "charts/rendered"


def main() -> int:
    FOLDER.mkdir(exist_ok=True)
    for chart in (*SERVICES, *ENGINES, *OBSERVERS):
        (FOLDER / f"{chart}.yaml").write_text(rendered_text(render(chart, {})), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
