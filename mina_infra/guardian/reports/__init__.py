"""A verdict for people and machines: terminal, JSON, JUnit, Markdown, HTML. One file each."""
