"""What the instances of an application know of each other, from a topic of their own."""
