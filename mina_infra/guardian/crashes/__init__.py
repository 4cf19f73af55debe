"""What has crashed: where it shows, what is none, and how one bug of many nodes becomes one entry."""
