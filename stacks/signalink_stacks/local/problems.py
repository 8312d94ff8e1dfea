"""Owns the ways the local target can fail, each with what, why, the next command and an exit code.

EnvironmentBroken   exit 3   the machine, the state folder or a manifest is not as needed; nothing was started
StartFailed         exit 1   a part did not become ready; everything was torn down again
"""

from typing import ClassVar

from signalink_core.errors import SignalinkError


class LocalProblem(SignalinkError):
    """`detail` says what and why, `next_step` is a command."""

    code: ClassVar[str] = "local"
    exit_code: ClassVar[int] = 1


class EnvironmentBroken(LocalProblem):
    code = "environment_broken"
    exit_code = 3


class StartFailed(LocalProblem):
    code = "start_failed"
    exit_code = 1


BY_CODE = {problem.code: problem for problem in (EnvironmentBroken, StartFailed)}
