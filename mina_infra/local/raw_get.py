"""Stands in for kubectl where kwokctl asks whether the API server answers (`kubectl --kubeconfig F get --raw PATH`).

kwokctl would take any kubectl on PATH, however old, or download one. Standard library only and run by path with
`python -IS`, because it is started several times a second while a cluster starts.
"""

import re
import ssl
import sys
import urllib.request
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Print the answer; 0 when the server answered with success."""
    if len(arguments) != 5 or arguments[0] != "--kubeconfig" or arguments[2:4] != ["get", "--raw"]:
        print(f"this kubectl only knows --kubeconfig FILE get --raw PATH, not {' '.join(arguments)}", file=sys.stderr)
        return 2
    config = Path(arguments[1]).read_text()
    context = ssl.create_default_context(cafile=_value(config, "certificate-authority"))
    context.load_cert_chain(_value(config, "client-certificate"), _value(config, "client-key"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(_value(config, "server") + arguments[4], timeout=5) as response:
            print(response.read().decode(), end="")
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _value(config: str, key: str) -> str:
    """A plain scalar of the kubeconfig that kwokctl writes (one cluster, one user, files, no anchors)."""
    found = re.search(rf"^\s*{key}:\s*(.+?)\s*$", config, re.MULTILINE)
    if not found:
        raise SystemExit(f"no {key} in the kubeconfig")
    return found[1].strip("'\"")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
