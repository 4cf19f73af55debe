"""An archive node: daemon, archive process and database in one pod, so that they find each other at localhost.

The database is a sidecar that starts before and ends after the others; its tables are made in one transaction before
the archive process runs. The daemon beside it delivers every block; the node's Service lets other daemons do so too.
"""

from __future__ import annotations

from mina_infra.plan import ports, secrets
from mina_infra.plan.common import Common
from mina_infra.plan.daemon import daemon
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import Manifest
from mina_infra.plan.workload import Workload, claim_volume, port, requests
from mina_infra.spec import VOLUMES, VolumeKind

DATABASE, USER = "archive", "postgres"
URI = f"postgresql://{USER}@127.0.0.1:{ports.POSTGRES}/{DATABASE}"
"""Without the password, which libpq takes from PGPASSWORD: arguments are visible in the process table."""

SCHEMA_SOURCE = "/etc/mina/archive"
"""Where the archive image keeps create_schema.sql and what that includes."""

# All or nothing, and only once: on a persisted database the tables are there already.
_SCHEMA_SCRIPT = f"""\
tables="$(psql {URI} -tAc "select to_regclass('public.blocks') is not null")"
[ "$tables" = t ] && exit 0
cd /schema
psql {URI} -v ON_ERROR_STOP=1 --single-transaction -f create_schema.sql
"""


def workload(common: Common, node: Node) -> Workload:
    result = daemon(common, node, arguments=["-archive-address", f"127.0.0.1:{ports.ARCHIVE}"])
    # The guard and the keys come first, then the database and its tables, then the daemon and the archive process.
    result.init_containers += [_postgres(common), _copy_schema(common), _make_tables(common)]
    result.containers.append(_archive(common))
    result.volumes += [
        claim_volume("postgres-data", node, common, VolumeKind.POSTGRES_STATE),
        {"name": "schema", "emptyDir": {}},
    ]
    result.service_ports["archive-port"] = ports.ARCHIVE
    return result


def _password(variable: str) -> Manifest:
    return secrets.from_secret(variable, secrets.POSTGRES, secrets.PASSWORD)


def _postgres(common: Common) -> Manifest:
    """Listens on localhost alone. PGDATA is a sub-directory: the root of a fresh disk holds lost+found."""
    path = VOLUMES[VolumeKind.POSTGRES_STATE].path
    return {
        "name": "postgres",
        "image": common.spec.images.postgres,
        "restartPolicy": "Always",
        # SERIALIZABLE as the archive's own bootstrap sets it.
        "args": ["postgres", "-c", "listen_addresses=127.0.0.1", "-c", "default_transaction_isolation=serializable"],
        "env": [
            {"name": "PGDATA", "value": f"{path}/pgdata"},
            {"name": "POSTGRES_DB", "value": DATABASE},
            {"name": "POSTGRES_USER", "value": USER},
            _password("POSTGRES_PASSWORD"),
        ],
        "ports": [port("postgres-port", ports.POSTGRES)],
        "resources": requests("500m", "1Gi"),
        "startupProbe": _accepts(failures=60),
        "readinessProbe": _accepts(failures=3),
        "volumeMounts": [{"name": "postgres-data", "mountPath": path}],
    }


def _accepts(failures: int) -> Manifest:
    """Over TCP: while a new database is being set up, the server answers on its socket only."""
    command = ["pg_isready", "-h", "127.0.0.1", "-p", str(ports.POSTGRES), "-U", USER, "-d", DATABASE]
    return {"exec": {"command": command}, "periodSeconds": 5, "failureThreshold": failures}


def _copy_schema(common: Common) -> Manifest:
    return {
        "name": "schema-files",
        "image": common.spec.images.archive,
        "command": ["sh", "-ceu", f"cp {SCHEMA_SOURCE}/*.sql /schema/"],
        "volumeMounts": [{"name": "schema", "mountPath": "/schema"}],
    }


def _make_tables(common: Common) -> Manifest:
    return {
        "name": "schema",
        "image": common.spec.images.postgres,
        "command": ["sh", "-ceu", _SCHEMA_SCRIPT],
        "env": [_password("PGPASSWORD")],
        "volumeMounts": [{"name": "schema", "mountPath": "/schema", "readOnly": True}],
    }


def _archive(common: Common) -> Manifest:
    """`run`: the program has sub-commands and does nothing without one. The config gives it the genesis block."""
    program = f"{common.dialect.binary}-archive"
    return {
        "name": "archive",
        "image": common.spec.images.archive,
        "command": [program],
        "args": ["run", "--postgres-uri", URI, "--server-port", str(ports.ARCHIVE), "--config-file",
                 "/config/daemon.json", "--log-json", "--metrics-port", str(ports.ARCHIVE_METRICS)],
        "env": [_password("PGPASSWORD")],
        "ports": [port("archive-port", ports.ARCHIVE), port(ports.ARCHIVE_METRICS_PORT, ports.ARCHIVE_METRICS)],
        "resources": requests("500m", "1Gi"),
        "livenessProbe": {"tcpSocket": {"port": ports.ARCHIVE}, "initialDelaySeconds": 30, "periodSeconds": 10,
                          "failureThreshold": 30},
        "volumeMounts": [{"name": "daemon-config", "mountPath": "/config", "readOnly": True}],
    }  # fmt: skip
