"""Changes that come from a Kafka topic."""
