"""Disks, classes, sizes, cost and quota of a testnet; pure functions of the spec."""
