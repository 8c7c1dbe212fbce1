"""Load: many customers at once, put straight into the topics, and how long their outcomes take."""
