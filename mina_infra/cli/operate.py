"""Commands that judge a deployed testnet and publish its entry points."""

from __future__ import annotations

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import ValidationError

from mina_infra.cli.console import Reporter
from mina_infra.cli.options import DEFAULT_CLUSTER, DEFAULT_STACK, ClusterName, Json, Local, Stack
from mina_infra.cli.place import Place, place_of
from mina_infra.cli.steps import VERIFY_DEADLINE_S, Session, default_out
from mina_infra.errors import EngineError
from mina_infra.outputs import OutputsDocument

OutputsFile = Annotated[
    Path | None,
    Parameter(name="--outputs", help="Read the outputs document from this file (- for standard input), not the stack."),
]
Deadline = Annotated[float, Parameter(name="--deadline", help="Seconds to wait for a network that still starts.")]
Out = Annotated[Path | None, Parameter(help="Folder to publish to. Default: out/STACK.")]


def verify(
    *,
    stack: Stack = DEFAULT_STACK,
    local: Local = False,
    cluster: ClusterName = DEFAULT_CLUSTER,
    outputs: OutputsFile = None,
    deadline: Deadline = VERIFY_DEADLINE_S,
    json: Json = False,
) -> int:
    """Is the network healthy? Every check with its evidence. Exit code 0 healthy, 1 unstable, 2 could not tell.

    What should be there comes from the outputs document, never from what happens to answer. A network that still
    starts is given until the deadline.
    """
    from mina_infra.guardian.report import json as as_json

    place = place_of(stack, local=local, cluster=cluster)
    with Reporter() as reporter:
        session = Session(place, _document(place, outputs), reporter, default_out(place), deadline)
        verdict = session.verify()
    if json:
        print(as_json(verdict))
    return verdict.exit_code


def seeds(
    *,
    stack: Stack = DEFAULT_STACK,
    local: Local = False,
    cluster: ClusterName = DEFAULT_CLUSTER,
    outputs: OutputsFile = None,
    json: Json = False,
) -> int:
    """Print the multiaddresses of the seeds, one a line, as a daemon's -peer-list-file wants them."""
    document = _document(place_of(stack, local=local, cluster=cluster), outputs)
    if json:
        print(jsonlib.dumps([seed.model_dump(mode="json", by_alias=True) for seed in document.seeds], indent=2))
    else:
        print("\n".join(sorted(seed.multiaddress for seed in document.seeds)))
    return 0


def publish(
    *,
    stack: Stack = DEFAULT_STACK,
    local: Local = False,
    cluster: ClusterName = DEFAULT_CLUSTER,
    outputs: OutputsFile = None,
    out: Out = None,
    deadline: Deadline = VERIFY_DEADLINE_S,
) -> int:
    """Verify, and only when healthy publish seeds.json, peers.txt and index.html. Unchanged files stay untouched."""
    place = place_of(stack, local=local, cluster=cluster)
    with Reporter() as reporter:
        session = Session(place, _document(place, outputs), reporter, out or default_out(place), deadline)
        verdict = session.verify()
        if verdict.healthy:
            session.publish()
    return verdict.exit_code


def post_deploy(
    *,
    stack: Stack = DEFAULT_STACK,
    local: Local = False,
    cluster: ClusterName = DEFAULT_CLUSTER,
    outputs: OutputsFile = None,
    out: Out = None,
    deadline: Deadline = VERIFY_DEADLINE_S,
) -> int:
    """Do the stack's `postDeploy` steps, in order; for use after a plain `pulumi up`."""
    place = place_of(stack, local=local, cluster=cluster)
    with Reporter() as reporter:
        return Session(place, _document(place, outputs), reporter, out or default_out(place), deadline).run()


def _document(place: Place, file: Path | None) -> OutputsDocument:
    """The outputs document from a file, standard input, or the stack. Raises EngineError."""
    if file is None:
        return place.outputs()
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        data = jsonlib.loads(text)
        return OutputsDocument.model_validate(data.get("testnet", data) if "schema" not in data else data)
    except OSError as error:
        raise EngineError(f"cannot read {file}: {error.strerror}") from error
    except (ValueError, AttributeError, ValidationError) as error:
        raise EngineError(
            f"{file} is not an outputs document ({error}). Make one with: mina-infra outputs -s {place.stack}"
        ) from error
