"""Keysets: one Secret with the accounts of several nodes."""

from __future__ import annotations

from collections.abc import Iterator

from mina_infra.plan import nodes, secrets
from mina_infra.spec import Issue, Role, TestnetSpec


def check(spec: TestnetSpec) -> Iterator[Issue]:
    """All issues; raises nothing."""
    producers: dict[secrets.Account, str] = {}
    for index, group in enumerate(spec.nodes):
        if group.keys is None:
            continue
        path = ("nodes", index, "keys")
        members = list(nodes.of_group(group))
        if not secrets.has_own_account(members[0]) and group.role is not Role.SNARK_COORDINATOR:
            yield Issue(
                path,
                f"a {group.role.value} has no account of its own; block producers, snark coordinators and user agents "
                "have.",
                "Remove `keys`.",
            )
            continue
        for field in ("secret", "account"):
            if "/" in (getattr(group.keys, field) or ""):  # docs/facts.md: refusal/V28
                yield Issue(
                    (*path, field),
                    f"'{getattr(group.keys, field)}' names a namespace: pods mount the Secrets of their own alone.",
                    "Write the name alone, and copy the Secret into the testnet's namespace.",
                )
        for node in members if group.role is Role.BLOCK_PRODUCER else ():
            first = producers.setdefault(secrets.wallet(node), node.name)
            if first != node.name:
                yield Issue(
                    (*path, "account"),
                    f"{first} and {node.name} would produce with one account, '{group.keys.account}' of Secret "
                    f"'{group.keys.secret}': each block that it wins would be made twice, and fork the chain.",
                    "Leave `account` out: each node then takes the account of its own name from the Secret.",
                )
                break
