"""The `mina-infra` command: parse, call, print. Nothing is decided here."""

import gc


def main() -> None:
    """The console script."""
    rarely_collect()
    from mina_infra.cli.app import run

    run()


def rarely_collect() -> None:
    """Modules stay for good: looking 140 times for garbage among them is a tenth of a command's start."""
    gc.set_threshold(20_000)
