"""Owns the command tree and the one place where errors become text and exit codes."""

import sys

import typer
from typer.exceptions import TyperException

from signalink_core.errors import ConfigurationError, SignalinkError
from signalink_labs.cli import (
    analytics,
    backup,
    channels,
    cost,
    deploy,
    dlq,
    doctor,
    down,
    images,
    log,
    logs,
    migrate,
    opening,
    output,
    relay,
    status,
    sweep,
    tokens,
    topics,
    trace,
    up,
    user,
)
from signalink_stacks.local.engines import EngineFailed
from signalink_stacks.local.problems import LocalProblem

EXIT_FAILED, EXIT_BROKEN, EXIT_USAGE, EXIT_INTERRUPTED = 1, 3, 64, 130

app = typer.Typer(
    name="signalink", help="Run, watch and stop a whole messaging platform on this machine.", no_args_is_help=True
)
app.command("up")(up.up)
app.command("down")(down.down)
app.command("status")(status.status)
app.command("doctor")(doctor.doctor)
app.command("open")(opening.open_)
app.command("logs")(logs.logs)
app.command("trace")(trace.trace)
app.command("migrate")(migrate.migrate)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("apply")(topics.apply)
app.command("cost")(cost.cost)
app.command("deploy")(deploy.deploy)
app.command("sweep")(sweep.sweep)
app.add_typer(user.app, name="user")
app.add_typer(tokens.app, name="token")
app.add_typer(log.app, name="log")
app.add_typer(relay.app, name="relay")
app.add_typer(dlq.app, name="dlq")
app.add_typer(topics.get, name="get")
topics.get.command("channels")(channels.channels)
app.add_typer(analytics.app, name="analytics")
app.add_typer(images.app, name="images")


def run(arguments: list[str]) -> int:
    """Run one command line; the exit code. Never raises."""
    try:
        result = app(arguments, prog_name="signalink", standalone_mode=False)
    except TyperException as error:
        return output.failed(arguments, "usage", error.format_message(), "`signalink --help`", EXIT_USAGE)
    except SignalinkError as error:
        return output.failed(arguments, error.code, error.detail, error.next_step, exit_code(error))
    except EngineFailed as error:
        return output.failed(arguments, "engine_failed", str(error), "`signalink logs`", EXIT_FAILED)
    except OSError as error:
        return output.failed(arguments, "os_error", str(error), None, EXIT_BROKEN)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    return result if isinstance(result, int) else 0


def exit_code(error: SignalinkError) -> int:
    if isinstance(error, LocalProblem):
        return error.exit_code
    return EXIT_USAGE if isinstance(error, ConfigurationError) else EXIT_FAILED


def main() -> None:
    sys.exit(run(sys.argv[1:]))
