"""One module per daemon, each defining one constant DAEMON (see bench.model.Daemon)."""
