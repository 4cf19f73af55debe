"""One exception class for each audience; each message says what was found, what is allowed and what to do."""


class MinaInfraError(Exception):
    """A mistake or a state of the world that a user can mend; shown without a stack trace."""


class ClusterError(MinaInfraError):
    """The cluster, its credentials or an object in it is not as it should be."""


class EngineError(MinaInfraError):
    """The Pulumi engine refused or failed."""


class ToolError(MinaInfraError):
    """A program that is needed is missing, too old or does not build."""
