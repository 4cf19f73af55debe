"""Runs a command from a small process and notes what it used, as JSON in a file.

    python benchmarks/alone.py USAGE.json COMMAND...

The kernel counts what a child shares with its parent between fork and exec to the child's peak memory (getrusage(2),
ru_maxrss lives through execve(2)): started from a test run of 300 MiB, every command has had 300 MiB. So a process that
loads next to nothing stands between. Ctrl-C is the command's to handle.
"""

import json
import os
import signal
import subprocess
import sys
import time


def main(usage_file: str, *command: str) -> int:
    started = time.monotonic()
    child = subprocess.Popen(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, status, usage = os.wait4(child.pid, 0)
    with open(usage_file, "w", encoding="utf-8") as file:
        json.dump(
            {
                "seconds": time.monotonic() - started,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak_mib": usage.ru_maxrss / 1024,
                "exit_code": os.waitstatus_to_exitcode(status),
            },
            file,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
