"""The program `mina` that `kubectl exec` into a simulated pod finds: it asks the simulator over loopback.

kwok runs it on this machine with the pod's port in its environment. It imports next to nothing, because a start of
Python costs more than its work; 200 execs at once are ordinary.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mina_infra.simulator.cli_status import UNREACHABLE
from mina_infra.simulator.kwok import PORT_VARIABLE

_TEXT = f'''#!{sys.executable} -IS
import os, socket, sys

words = "\\0".join(sys.argv[1:]).encode()
head = "POST /command HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n"
head += f"Content-Length: {{len(words)}}\\r\\n\\r\\n"
try:
    with socket.create_connection(("127.0.0.1", int(os.environ["{PORT_VARIABLE}"])), timeout=10) as connection:
        connection.sendall(head.encode() + words)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
except (OSError, KeyError, ValueError):
    answer = b""
head, _, body = answer.partition(b"\\r\\n\\r\\n")
if not head.startswith(b"HTTP/1.1 200"):
    sys.exit("{UNREACHABLE}")
code, _, text = body.partition(b"\\n")
sys.stdout.buffer.write(text)
sys.exit(int(code))
'''


def install(folder: Path) -> Path:
    """Write the program into the folder that kwok's PATH has first; its path. Done at each start, in one move."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "mina"
    temporary = folder / ".mina.new"
    temporary.write_text(_TEXT, encoding="utf-8")
    temporary.chmod(0o755)
    temporary.replace(program)
    return program
