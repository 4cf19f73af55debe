"""How fast a provider's disks are for what a Mina node does with them, and what that costs."""
