"""Process 1 of a machine of its own: private mounts, then the programs, each started again when it ends.

Called as `python init.py FILE`. The file holds {"hidden": [folders], "pretended": {file: text}, "programs":
{name: command}, "environment": {...}, "logs": folder}. Runs in new mount and process namespaces: whatever it mounts
or starts is gone when it ends, however it ends. Standard library alone.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main(file: str) -> None:
    settings = json.loads(Path(file).read_text())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for path, text in settings["pretended"].items():
        if Path(path).exists():
            pretend(Path(path), text, Path(file).parent)
    mount("--make-rshared", "/")  # kubelets pass volumes on to containers
    for folder in settings["hidden"]:
        mount("-t", "tmpfs", "tmpfs", folder)
    logs = Path(settings["logs"])
    commands = settings["programs"]
    running = {
        start(command, logs / f"{name}.log", settings["environment"]): name for name, command in commands.items()
    }
    while True:
        pid, status = os.wait()  # orphans of containers come here too
        if name := running.pop(pid, None):
            log = logs / f"{name}.log"
            with log.open("a") as output:
                output.write(f"--- {name} ended with status {status}; starting it again\n")
            time.sleep(0.1)
            running[start(commands[name], log, settings["environment"])] = name


def pretend(path: Path, text: str, folder: Path) -> None:
    """Show another content of a kernel's setting, so that nobody here wants to change the real one."""
    source = folder / "pretended" / path.name
    source.parent.mkdir(exist_ok=True)
    source.write_text(text)
    mount("--bind", str(source), str(path))


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def start(command: list[str], log: Path, environment: dict[str, str]) -> int:
    with log.open("ab") as output:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output).pid


if __name__ == "__main__":
    main(sys.argv[1])
