"""What the hub and its nodes agree on: topics, messages, identities, time and the MQTT link."""
