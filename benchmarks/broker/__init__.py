"""The embedded broker beside Apache Kafka: throughput, latency, many consumers, start and memory, in one run.

make bench-broker            QUICK=1 make bench-broker            make bench-broker ARGS="--only latency"
"""
