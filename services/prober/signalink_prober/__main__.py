"""`python -m signalink_prober`: one prober, until SIGTERM; everything is in `app`."""

from signalink_core import process
from signalink_prober import app

if __name__ == "__main__":
    process.run(app.main, service="prober")
