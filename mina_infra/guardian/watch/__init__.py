"""Watching a testnet: look again and again, remember, report only what changes."""
