/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Backing ids: at most one per inode, registered with the kernel when a reply first needs it and
 * kept until the kernel has forgotten the inode.
 *
 * Kept, because (1) two different ids on one inode fail the second open with EIO, and (2) the
 * kernel looks an id up only when the client that waits for the reply wakes: an id closed right
 * after the reply was written loses that race.
 */
#ifndef FUSE_BENCH_BACKING_H
#define FUSE_BENCH_BACKING_H

#include <stddef.h>
#include <stdint.h>

/*
 * The id of ``nodeid``, registering it with ``ops_mask`` if it has none. ``open_backing(nodeid,
 * argument, &owned)`` gives the descriptor to register, or -1 with errno set; it is closed here if
 * it set ``owned``.
 *
 * Returns 0 if there is no id: registration failed (counted, logged once per errno), or the id was
 * registered without inode operations while ``ops_mask`` asks for them. A failure sticks until the
 * inode is forgotten: a cached open followed by a passthrough open is an EIO for the client.
 */
int32_t backing_id(int session_fd, uint64_t nodeid, uint64_t ops_mask,
		   int (*open_backing)(uint64_t nodeid, int argument, int *owned), int argument);

/* Closes the ids of inodes whose lookup count has reached 0. */
void backing_forget(int session_fd, const uint64_t *nodeids, size_t count);

#endif
