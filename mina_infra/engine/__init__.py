"""Drives the Pulumi engine: which CLI, backend and provider; up, preview, destroy; interrupted runs; progress.

`run` (up, preview, refresh, destroy) and `passthrough` import pulumi; `environment`, `state` (outputs) and `settle` do
not, so that commands which only look start quickly.
"""
