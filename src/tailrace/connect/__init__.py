"""Connect: moves records between topics and other systems, by configuration.

Read in this order: `record` (what moves), `connector` (what a connector is), `sink` and `source` (how a task of each
kind runs), `worker` (how tasks are kept alive). Configuration keys, the offsets topic, dead letters and the REST
interface are those of Apache Kafka Connect.
"""
