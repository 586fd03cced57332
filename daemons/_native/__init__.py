"""Native parts of the daemons: the shim that speaks passthrough and counts requests."""
