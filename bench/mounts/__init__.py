"""A daemon's mount, who serves it, and the backing directory beneath."""
