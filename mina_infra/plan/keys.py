"""Keys on their way into a daemon.

The daemon demands a directory of exactly 0700 and files without group or other bits, which a Secret's mount never has,
so init containers copy them into memory. Nothing of a key ever lies on a claim: it would outlive the Secret there, and
be in every snapshot (docs/facts.md: mina/private-keys).
"""

from __future__ import annotations

from mina_infra.plan import secrets
from mina_infra.plan.common import Common
from mina_infra.plan.nodes import Node
from mina_infra.plan.objects import Manifest
from mina_infra.plan.workload import Workload

LIBP2P_DIRECTORY = "/root/libp2p-keys"
LIBP2P_KEY = f"{LIBP2P_DIRECTORY}/key"
WALLET_DIRECTORY = "/root/wallet-keys"
WALLET_KEY = f"{WALLET_DIRECTORY}/key"

# `*.pub` stands beside an account, `*.peerid` beside an identity, as the key generators write them.
_COPY = """\
cp "$FROM/key" "$TO/key"
cp "$FROM/pub" "$TO/key.$PUBLIC"
chmod 0600 "$TO"/*
chmod 0700 "$TO"
"""


def add_libp2p(workload: Workload, common: Common, node: Node) -> None:
    """The fixed identity of the spec, or a throw-away one that lives as long as the pod."""
    workload.volumes.append(_memory("libp2p-keys"))
    if node.identity:
        workload.volumes.append(_secret("libp2p-secret", secrets.libp2p(node)))
        step = _copy("libp2p-key", common, "libp2p-secret", "libp2p-keys", LIBP2P_DIRECTORY, "peerid")
    else:
        step = _generate(common)
    workload.init_containers.append(step)


def add_wallet(workload: Workload, common: Common, node: Node) -> None:
    """The account of a producer, for `-block-producer-key`."""
    workload.volumes += [_memory("wallet-keys"), _account("wallet-secret", secrets.wallet(node))]
    workload.init_containers.append(
        _copy("wallet-key", common, "wallet-secret", "wallet-keys", WALLET_DIRECTORY, "pub")
    )


def add_accounts(workload: Workload, common: Common, accounts: dict[str, secrets.Account]) -> None:
    """Accounts that bots sign with: the daemon can only unlock what is in its wallet directory.

    `accounts`: name → where it lies. The wallet directory is kept in memory too, and filled anew for each pod.
    """
    directory = f"{common.dialect.config_directory}/wallets"
    workload.volumes.append(_memory("wallets"))
    workload.containers[0]["volumeMounts"].append({"name": "wallets", "mountPath": directory})
    for name, account in accounts.items():
        workload.volumes.append(_account(f"{name}-account", account))
        workload.init_containers.append(_import(common, name))


def libp2p_env(common: Common) -> Manifest:
    variable = f"{common.dialect.env}_LIBP2P_PASS"
    return secrets.from_secret(variable, secrets.PASSPHRASES, secrets.LIBP2P_PASS)


def wallet_env(common: Common) -> Manifest:
    variable = f"{common.dialect.env}_PRIVKEY_PASS"
    return secrets.from_secret(variable, secrets.PASSPHRASES, secrets.WALLET_PASS)


def _memory(name: str) -> Manifest:
    return {"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}


def _secret(name: str, secret: str) -> Manifest:
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o400}}


def _account(name: str, account: secrets.Account) -> Manifest:
    """One account as `key` and `pub`: of a keyset a pod sees its own account and no other."""
    volume = _secret(name, account.secret)
    if account.key != secrets.KEY:
        items = ((account.key, secrets.KEY), (account.public, secrets.PUBLIC))
        volume["secret"]["items"] = [{"key": key, "path": path} for key, path in items]
    return volume


def _copy(name: str, common: Common, source: str, target: str, directory: str, public: str) -> Manifest:
    return {
        "name": name,
        "image": common.spec.images.init,
        "command": ["sh", "-ceu", _COPY],
        "env": [
            {"name": "FROM", "value": f"/secrets/{source}"},
            {"name": "TO", "value": directory},
            {"name": "PUBLIC", "value": public},
        ],
        "volumeMounts": [
            {"name": source, "mountPath": f"/secrets/{source}", "readOnly": True},
            {"name": target, "mountPath": directory},
        ],
    }


def _generate(common: Common) -> Manifest:
    program = " ".join((common.dialect.binary, *common.dialect.generate_libp2p))
    script = f"chmod 0700 {LIBP2P_DIRECTORY}\n[ -e {LIBP2P_KEY} ] || {program} -privkey-path {LIBP2P_KEY}\n"
    return {
        "name": "libp2p-key",
        "image": common.spec.image,
        "command": ["sh", "-ceu", f"{script}chmod 0600 {LIBP2P_DIRECTORY}/*\n"],
        "env": [libp2p_env(common)],
        "volumeMounts": [{"name": "libp2p-keys", "mountPath": LIBP2P_DIRECTORY}],
    }


def _import(common: Common, name: str) -> Manifest:
    """Imports one account. The key file is copied first: the daemon's program refuses a Secret's permissions."""
    directory = common.dialect.config_directory
    program = common.dialect.binary
    script = (
        "umask 077\nmkdir -p /tmp/account\nchmod 0700 /tmp/account\n"
        f"cp /secrets/account/key /tmp/account/key\ncp /secrets/account/pub /tmp/account/key.pub\n"
        f"{program} accounts import -config-directory {directory} -privkey-path /tmp/account/key\n"
        "rm -r /tmp/account\n"
    )
    return {
        "name": f"import-{name}",
        "image": common.spec.image,
        "command": ["sh", "-ceu", script],
        "env": [wallet_env(common)],
        "volumeMounts": [
            {"name": f"{name}-account", "mountPath": "/secrets/account", "readOnly": True},
            {"name": "wallets", "mountPath": f"{directory}/wallets"},
        ],
    }
