"""What outlives its purpose: testnets past their time, volumes that nobody owns, and what they cost."""
