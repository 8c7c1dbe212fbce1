"""Other libraries for stream processing, as commands that do the jobs of `benchmarks/streams` until SIGTERM."""
