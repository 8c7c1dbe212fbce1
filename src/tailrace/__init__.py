"""tailrace: event-driven microservices for Python on Kafka."""
