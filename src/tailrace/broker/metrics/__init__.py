"""What a broker tells monitoring: counters that cost next to nothing, and the HTTP server that shows them."""
