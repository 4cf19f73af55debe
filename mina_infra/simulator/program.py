"""The programs `mina`, `df` and `curl` that `kubectl exec` into a simulated pod finds: they ask the simulator.

kwok runs it on this machine with the pod's port in its environment. It imports next to nothing, because a start of
Python costs more than its work; 200 execs at once are ordinary.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mina_infra.simulator.cli_status import UNREACHABLE
from mina_infra.simulator.kwok import PORT_VARIABLE

PROGRAMS = {"mina": "/command", "df": "/df"}
"""Each program and what it asks the simulator for. `df` of this machine would tell of this machine's disk."""

_TEXT = f'''#!{sys.executable} -IS
import os, socket, sys

words = "\\0".join(sys.argv[1:]).encode()
head = "POST @PATH@ HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n"
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


_CURL = f'''#!{sys.executable} -IS
"""curl of the daemon's image, as far as the readiness probe and the guardian use it: one POST to the pod's loopback."""
import os, socket, sys

words = sys.argv[1:]
url, body, write_out = words[-1], "", ""
for flag, value in zip(words, words[1:]):
    if flag == "-d":
        body = value
    if flag == "-w":
        write_out = value
path = "/" + url.partition("://")[2].partition("/")[2]
data = body.encode()
head = f"POST {{path}} HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n"
head += f"Content-Length: {{len(data)}}\\r\\n\\r\\n"
try:
    with socket.create_connection(("127.0.0.1", int(os.environ["{PORT_VARIABLE}"])), timeout=5) as connection:
        connection.sendall(head.encode() + data)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
except TimeoutError:
    sys.exit(28)
except (OSError, KeyError, ValueError):
    sys.stderr.write("curl: (7) Failed to connect to 127.0.0.1\\n")
    sys.exit(7)
head, _, content = answer.partition(b"\\r\\n\\r\\n")
sys.stdout.buffer.write(content)
status = head.split()[1].decode() if head else "000"
sys.stdout.write(write_out.replace("%{{http_code}}", status))
'''


def install(folder: Path) -> Path:
    """Write the programs into the folder that kwok's PATH has first; the path of `mina`. Done at each start."""
    folder.mkdir(parents=True, exist_ok=True)
    _put(folder / "curl", _CURL)
    for name, path in PROGRAMS.items():
        _put(folder / name, _TEXT.replace("@PATH@", path))
    return folder / "mina"


def _put(program: Path, text: str) -> None:
    """In one move, because it may be running."""
    temporary = program.with_name(f".{program.name}.new")
    temporary.write_text(text, encoding="utf-8")
    temporary.chmod(0o755)
    temporary.replace(program)
