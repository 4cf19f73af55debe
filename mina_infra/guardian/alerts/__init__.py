"""The guardian's questions as rules of Prometheus and as a dashboard of Grafana. Pure: nothing here asks anybody."""
