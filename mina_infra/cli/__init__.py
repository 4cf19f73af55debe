"""The `mina-infra` command: parse, call, print. Nothing is decided here."""


def main() -> None:
    """The console script."""
    from mina_infra.cli.app import run

    run()
