"""`python -m signalink_gateway`: one gateway process, until SIGTERM."""

from signalink_core import process
from signalink_gateway import app

process.run(app.main, service="gateway")
