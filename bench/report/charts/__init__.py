"""Charts, and the processes that draw them."""
