"""What `benchmarks/measuring.py` says of a command is the command's own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from measuring import alone

MIB = 1 << 20


def test_memory_of_this_process_is_not_counted_to_the_command(tmp_path: Path) -> None:
    ballast = bytearray(os.urandom(MIB)) * 200
    with (tmp_path / "out").open("w") as out:
        little = alone([sys.executable, "-c", "print('said')"], tmp_path, os.environ, out, None)
        much = alone(
            [sys.executable, "-c", f"import sys; bytearray({150 * MIB}); sys.exit(3)"], tmp_path, os.environ, out, None
        )
    assert len(ballast) == 200 * MIB
    assert (tmp_path / "out").read_text() == "said\n"
    assert (little.exit_code, much.exit_code) == (0, 3)
    assert little.peak_mib < 100 < 150 < much.peak_mib < 250
    assert little.cpu > 0
    assert little.seconds > 0
