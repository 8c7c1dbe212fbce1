"""agio: a currency exchange made of small services that meet only in Kafka topics."""
