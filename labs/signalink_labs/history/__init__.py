"""History checker: what clients, sockets and stores saw, judged by a program that is itself proven.

Owns the format of a history, its recorder and reader, and the checks V1-V6 (lost, phantom, duplicate, reordered,
skipped, inconsistent), V8 (slow) and V10 (dishonest). It talks to no platform: whoever makes a history records it and
brings the dumps.
"""

from signalink_labs.history.checker import Report, check, check_files
from signalink_labs.history.evidence import Demands
from signalink_labs.history.findings import Finding, Verdict
from signalink_labs.history.lines import Line, event_fields, text_hash
from signalink_labs.history.recorder import Recorder
from signalink_labs.history.recovery import Recovery

__all__ = [
    "Demands",
    "Finding",
    "Line",
    "Recorder",
    "Recovery",
    "Report",
    "Verdict",
    "check",
    "check_files",
    "event_fields",
    "text_hash",
]
