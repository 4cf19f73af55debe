"""What a Mina daemon says, as typed values: GraphQL replies, command line status, log lines, multiaddresses."""
