"""What `mina client status` prints for a simulated node, as text and as JSON (mina's src/lib/daemon_rpcs/types.ml)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mina_infra.simulator.answers import catchup_status, ledger_hash
from mina_infra.simulator.view import CONFIG_DIR, View, consensus_configuration, timestamp

UNREACHABLE = "Error: Unable to connect to Mina Daemon."


def run(view: View, words: list[str]) -> tuple[int, str]:
    """Exit code and output of `mina WORDS...` in the container of a node."""
    flags = [word for word in words if word.startswith("-")]
    if words[:2] == ["client", "status"]:
        return 0, as_json(view) if {"-json", "--json"} & set(flags) else as_text(view)
    if words[:2] == ["advanced", "get-peers"]:
        peers = (node.spec for node in view.peers())
        return 0, "".join(f"/ip4/{spec.host}/tcp/{spec.p2p_port}/p2p/{spec.identity}\n" for spec in peers)
    return 1, f"the simulated node knows `client status` and `advanced get-peers`, not `{' '.join(words)}`\n"


def as_text(view: View) -> str:
    """A title, a rule, `Key: value` lines, groups below with a TAB. What is not known is left out."""
    fields = {key: value for key, value in _text_fields(view).items() if value is not None}
    width = max(len(key) for key in fields) + 2
    lines = ["Mina daemon status", "-----------------------------------", ""]
    for key, value in fields.items():
        if isinstance(value, Mapping):
            inner = max(len(name) for name in value) + 2
            lines.append(f"{key}:")
            lines += [f"\t{name + ':':<{inner}} {part}" for name, part in value.items()]
        else:
            lines.append(f"{key + ':':<{width}} {value}")
    return "\n".join(lines) + "\n"


def _text_fields(view: View) -> dict[str, Any]:
    spec, tip, constants = view.node.spec, view.tip, view.constants
    catchup = catchup_status(view.node)
    return {
        "Global number of accounts": 1 + len(view.network.lottery.stakes) if tip else None,
        "Block height": view.height,
        "Max observed block height": view.node.highest_received,
        "Max observed unvalidated block height": view.node.highest_unvalidated,
        "Local uptime": duration(view.uptime_secs),
        "Ledger Merkle root": ledger_hash(tip) if tip else None,
        "Protocol state hash": tip.state_hash if tip else None,
        "Chain id": constants.chain_id,
        "Git SHA-1": spec.commit_id,
        "Configuration directory": CONFIG_DIR,
        "Peers": len(view.peers()),
        "User_commands sent": 0,
        "SNARK worker": "None",
        "SNARK work fee": 100_000_000,
        "Sync status": view.status.value.capitalize(),
        "Catchup status": ", ".join(catchup) if catchup else None,
        "Block producers running": f"1 ({spec.key})" if spec.key else 0,
        "Coinbase receiver": "Block producer",
        "Best tip consensus time": _consensus(view, tip.slot) if tip else None,
        "Best tip global slot (across all hard-forks)": constants.fork_slot + tip.slot if tip else None,
        "Consensus time now": _consensus(view, view.slot_now),
        "Consensus mechanism": "proof_of_stake",
        "Consensus configuration": {
            "Delta": constants.delta,
            "k": constants.k,
            "Slots per epoch": constants.slots_per_epoch,
            "Slot duration": duration(constants.slot_ms / 1000),
            "Epoch duration": duration(constants.slot_ms * constants.slots_per_epoch / 1000),
            "Chain start timestamp": timestamp(constants.genesis_ms),
            "Acceptable network delay": duration(constants.slot_ms / 1000),
        },
        "Addresses and ports": {
            "External IP": spec.host,
            "Bind IP": "0.0.0.0",
            "Client port": spec.client_port,
            "Libp2p PeerID": spec.identity,
            "Libp2p port": spec.p2p_port,
        },
    }


def as_json(view: View) -> str:
    """One object in snake_case; what is not known is null."""
    spec, tip = view.node.spec, view.tip
    configuration = consensus_configuration(view.constants)
    peers = [{"host": n.spec.host, "libp2p_port": n.spec.p2p_port, "peer_id": n.spec.identity} for n in view.peers()]
    return json.dumps(
        {
            "num_accounts": 1 + len(view.network.lottery.stakes) if tip else None,
            "blockchain_length": view.height,
            "highest_block_length_received": view.node.highest_received,
            "highest_unvalidated_block_length_received": view.node.highest_unvalidated,
            "uptime_secs": view.uptime_secs,
            "ledger_merkle_root": ledger_hash(tip) if tip else None,
            "state_hash": tip.state_hash if tip else None,
            "chain_id": view.constants.chain_id,
            "commit_id": spec.commit_id,
            "conf_dir": CONFIG_DIR,
            "peers": peers,
            "user_commands_sent": 0,
            "snark_worker": None,
            "snark_work_fee": 100_000_000,
            "sync_status": view.status.value.capitalize(),
            "catchup_status": catchup_status(view.node),
            "block_production_keys": [spec.key] if spec.key else [],
            "coinbase_receiver": "Block producer",
            "histograms": None,
            "consensus_time_best_tip": _consensus(view, tip.slot) if tip else None,
            "global_slot_since_genesis_best_tip": view.constants.fork_slot + tip.slot if tip else None,
            "next_block_production": None,
            "consensus_time_now": _consensus(view, view.slot_now),
            "consensus_mechanism": "proof_of_stake",
            "consensus_configuration": {_snake(name): value for name, value in configuration.items()},
            "addrs_and_ports": {
                "external_ip": spec.host,
                "bind_ip": "0.0.0.0",
                "peer": {"host": spec.host, "libp2p_port": spec.p2p_port, "peer_id": spec.identity},
                "libp2p_port": spec.p2p_port,
                "client_port": spec.client_port,
            },
        }
    )


def duration(seconds: float) -> str:
    """`2d17h50m34s`, as the daemon prints it."""
    rest, text = int(seconds), ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count or text else ""
    return f"{text}{rest}s"


def _consensus(view: View, slot: int) -> str:
    epoch, in_epoch = divmod(max(slot, 0), view.constants.slots_per_epoch)
    return f"epoch={epoch}, slot={in_epoch}"


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
