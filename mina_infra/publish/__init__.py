"""What outsiders need to join: the seeds, as a list for daemons, as data and as a page."""
