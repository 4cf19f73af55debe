"""A page in a real browser without a screen: a browser on PATH, else Chromium from Debian's packages, once.

`make test` calls this file first, so that its one slow moment is seen. Nothing is installed, and no root is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mina_infra.errors import ToolError
from mina_infra.local.paths import tools_cache
from tests import debian

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-dejavu-core")
HELP = f"Install Debian's package chromium, or Chrome (looked for {', '.join(PROGRAMS)})"
_FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/usr/share/fonts</dir><cachedir>{folder}/fonts</cachedir></fontconfig>
"""


@dataclass(frozen=True)
class Browser:
    """How to start it."""

    program: Path
    environment: dict[str, str] = field(default_factory=dict)


def ensure_browser(report: Callable[[str], None]) -> Browser:
    """The browser. Raises ToolError where there is none on PATH and no Debian to get it from."""
    found = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if found:
        return Browser(Path(found))
    folder = tools_cache() / "chromium"
    if not (folder / "complete").exists():
        if not debian.is_here():
            raise ToolError(f"pages cannot be opened: no browser, and no apt-get to fetch one. {HELP}.")
        report(f"chromium: fetching Debian's package with what it needs into {folder} (once; about 150 MB)")
        try:
            with debian.unpacked(PACKAGES, folder.parent, dependencies=True) as files:
                (files / "fonts.conf").write_text(_FONTS.format(folder=folder))
                (files / "complete").touch()
                if not folder.exists():  # else somebody was faster
                    files.rename(folder)
        except ToolError as error:
            raise ToolError(f"{error}\n{HELP}.") from error
    places = ("usr/lib/*-linux-gnu*", "usr/lib/*-linux-gnu*/pulseaudio", "lib/*-linux-gnu*")
    libraries = [each for place in places for each in folder.glob(place)]
    own = {"LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)), "FONTCONFIG_FILE": str(folder / "fonts.conf")}
    return Browser(folder / "usr" / "lib" / "chromium" / "chromium", own)


def dump(page: Path, profile: Path, *, width: int = 1280, dark: bool = False) -> str:
    """The document as the browser has it after loading. `profile`: an empty folder. Raises ToolError."""
    browser = ensure_browser(print)
    command = [
        str(browser.program), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-component-update", "--no-first-run", f"--user-data-dir={profile}", f"--window-size={width},2000",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    environment = os.environ | browser.environment
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    if done.returncode or not done.stdout.strip():
        raise ToolError(f"{browser.program} failed with exit code {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    try:
        ensure_browser(lambda line: print(line, flush=True))
    except ToolError as error:
        sys.exit(f"error: {error}")
