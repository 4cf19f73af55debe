"""Commands that judge a deployed testnet and publish its entry points. (No postponed annotations: see options.)"""

import json as jsonlib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from mina_infra.cli.console import Reporter
from mina_infra.cli.options import Json, Where
from mina_infra.cli.place import Place
from mina_infra.cli.steps import Session
from mina_infra.errors import EngineError

if TYPE_CHECKING:
    from mina_infra.outputs import OutputsDocument

Way = Annotated[
    Literal["auto", "direct", "proxy", "port-forward", "exec"],
    Parameter(
        help="How daemons are asked: auto takes the first road that works, direct to the pod's address (only inside "
        "the cluster), proxy through the API server, port-forward to the pod's loopback, exec of curl in the container."
    ),
]
Out = Annotated[Path | None, Parameter(help="Folder to publish to. Default: out/STACK.")]


@Parameter(name="*")
@dataclass(frozen=True)
class Deployed(Where):
    """A deployed testnet, by its outputs document."""

    outputs: Annotated[
        Path | None,
        Parameter(
            allow_leading_hyphen=True,
            help="Read the outputs document from this file (- for standard input) instead of the stack.",
        ),
    ] = None

    def document(self, place: Place) -> "OutputsDocument":
        """The outputs document from the file or the stack. Raises EngineError."""
        return place.outputs() if self.outputs is None else _read(self.outputs, place)

    def planned(self) -> "OutputsDocument":
        """The outputs document from the file, or as the stack file plans it: nothing needs to be deployed."""
        place = self.place()
        if self.outputs is not None:
            return _read(self.outputs, place)
        from mina_infra.plan import load_stack, plan_testnet

        return plan_testnet(load_stack(place.stack_file)).outputs


PLANNED = Deployed()


@Parameter(name="*")
@dataclass(frozen=True)
class Reached(Deployed):
    """A deployed testnet, and how its daemons are asked."""

    road: Way = "auto"


REACHED = Reached()


@Parameter(name="*")
@dataclass(frozen=True)
class Network(Reached):
    """A deployed testnet that is judged."""

    deadline: Annotated[
        float | None,
        Parameter(help="Seconds to wait for a network that still starts. Default: 1800, on the embedded cluster 300."),
    ] = None

    def session(self, reporter: Reporter, out: Path | None = None) -> Session:
        """Steps on this testnet. Raises EngineError when nothing is deployed."""
        place = self.place()
        return Session(place, self.document(place), reporter, out, self.deadline, self.road)


DEPLOYED = Network()


def seeds(*, network: Deployed = PLANNED, json: Json = False) -> int:
    """Print the multiaddresses of the seeds, one a line, as a daemon's -peer-list-file wants them."""
    from mina_infra.publish.seeds import peers_text, seed_list, seeds_json

    document = network.document(network.place())
    found = seed_list(document)
    print(seeds_json(document, found) if json else peers_text(found), end="")
    return 0


def publish(*, network: Network = DEPLOYED, out: Out = None) -> int:
    """Verify, and only when healthy publish seeds.json, peers.txt and index.html. Unchanged files stay untouched."""
    with Reporter() as reporter:
        session = network.session(reporter, out)
        verdict = session.verify()
        if verdict.healthy:
            session.publish()
    return verdict.exit_code


def post_deploy(*, network: Network = DEPLOYED, out: Out = None) -> int:
    """Do the stack's `postDeploy` steps, in order; for use after a plain `pulumi up`."""
    with Reporter() as reporter:
        return network.session(reporter, out).run()


def _read(file: Path, place: Place) -> "OutputsDocument":
    from pydantic import ValidationError

    from mina_infra.outputs import OutputsDocument

    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        data = jsonlib.loads(text)
        return OutputsDocument.model_validate(data.get("testnet", data) if "schema" not in data else data)
    except OSError as error:
        raise EngineError(f"cannot read {file}: {error.strerror}") from error
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg'].lower()}" for each in error.errors()]
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise EngineError(_not_one(file, place, "; ".join(wrong[:3]) + more)) from error
    except (ValueError, AttributeError) as error:
        raise EngineError(_not_one(file, place, str(error))) from error


def _not_one(file: Path, place: Place, why: str) -> str:
    made = place.command("outputs")
    return f"{file} is not an outputs document ({why}). Make one with: {made}"
