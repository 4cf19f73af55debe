"""A simulated Mina network: a virtual clock, leader election by stake, gossip, fork choice, and state kept in volumes.

`simulated.SimulatedNetwork` runs one in virtual time for tests; `world.run_simulator` runs one node for each daemon pod
of an embedded cluster.
"""

from mina_infra.simulator.world import run_simulator

__all__ = ["run_simulator"]
