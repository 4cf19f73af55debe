"""A page in a real browser without a screen: Debian's package `chromium`, or Chrome where that is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from mina_infra.errors import ToolError

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def dump(page: Path, profile: Path, *, width: int = 1280, dark: bool = False) -> str:
    """The document as the browser has it after loading. `profile`: an empty folder. Raises ToolError."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        raise ToolError(f"this test needs a browser; install Debian's package chromium (looked for {PROGRAMS})")
    command = [
        program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-component-update", "--no-first-run", f"--user-data-dir={profile}", f"--window-size={width},2000",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode or not done.stdout.strip():
        raise ToolError(f"{program} failed with exit code {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout
