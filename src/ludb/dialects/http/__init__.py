"""What systems that speak HTTP share: credentials, pace, one request and its answer."""
