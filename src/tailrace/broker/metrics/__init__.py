"""What a broker tells monitoring: counters that cost next to nothing, and what they and the state add up to."""
