"""The exchange's door for people: HTTP API, page and live events.

Wishes become records of topics, and what the other services made of them comes back from topics into a read model;
nothing else connects this service with the others.
"""
