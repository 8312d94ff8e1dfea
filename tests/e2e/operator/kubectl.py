"""What kubectl shows of a resource, printed for people to judge, and asked to name the reason."""

import asyncio
import shutil
import subprocess

from expecting import expect
from operatorground import Ground
from rig import say


async def says(at: Ground, kind: str, name: str, reason: str) -> None:
    """`get` and `describe` name `reason`; without kubectl or on the emulated API a line says that nobody looked."""
    program = shutil.which("kubectl")
    if program is None or at.cluster is not None:
        say("  left out: kubectl and a real API server are needed to look at it")
        return
    for words in (["get", f"{kind}s", name, "-o", "wide"], ["describe", kind, name]):
        command = [program, f"--kubeconfig={at.kubeconfig}", "-n", at.api.namespace, *words]
        shown = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=30)
        expect(shown.returncode == 0, f"kubectl {words[0]}: {shown.stderr}")
        expect(reason in shown.stdout, f"kubectl {words[0]} does not say why: {shown.stdout}")
        say("\n".join(f"    {line}" for line in shown.stdout.splitlines()))
