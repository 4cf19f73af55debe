"""mina-infra: Mina testnets as code. Each room is described in CONTRIBUTING.md."""

__version__: str


def __getattr__(name: str) -> str:
    """`__version__`, read when it is asked for: finding it costs a tenth of a command's start."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("mina-infra")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0+unknown"
