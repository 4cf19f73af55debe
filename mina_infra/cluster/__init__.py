"""The one seam to a live cluster."""
