"""What Prometheus is told: of requests and signatures as they happen, of the rest from records."""
