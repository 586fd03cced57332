"""Native parts of the daemons: the shim that makes libfuse speak passthrough and counts requests."""
