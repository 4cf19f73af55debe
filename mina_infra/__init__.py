"""mina-infra: Mina testnets as code. Each room is described in CONTRIBUTING.md."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("mina-infra")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"
