"""The Kafka wire protocol without sockets: frames, headers, messages and record batches; bytes in, values out."""
