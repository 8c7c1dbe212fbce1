"""Stream processing compared: the same four jobs in tailrace and in its peers, on the same Apache Kafka, in one run."""
