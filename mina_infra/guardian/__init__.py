"""Is the network healthy? Checks, criteria, verdict, reports."""
