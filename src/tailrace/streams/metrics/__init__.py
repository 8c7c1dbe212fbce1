"""What a stream application tells monitoring: counters that cost next to nothing, and rows made of them and the state.

Nothing is counted for each record that can be had for each run of them. What counts is what is committed.
"""
