"""Operations on the volumes of a live testnet: snapshots, and whatever moves state without losing it.

Everything follows from what is live, and nothing is kept between two commands: one that was killed at any point is
completed by the same command again.
"""
