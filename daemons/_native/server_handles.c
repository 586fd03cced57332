/* SPDX-License-Identifier: GPL-2.0-only */
/* File handles; see server_handles.h. */

#define _GNU_SOURCE
#include "server_handles.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* struct file_handle of <fcntl.h> with room behind it. */
union wire {
	struct file_handle handle;
	unsigned char room[sizeof(struct file_handle) + sizeof(((struct handle *)0)->bytes)];
};

int handle_of(int fd, const char *name, struct handle *handle)
{
	union wire wire;
	int mount_id;

	wire.handle.handle_bytes = sizeof(handle->bytes);
	if (name_to_handle_at(fd, name, &wire.handle, &mount_id, *name ? 0 : AT_EMPTY_PATH) != 0)
		return errno;
	handle->type = wire.handle.handle_type;
	handle->size = wire.handle.handle_bytes;
	memcpy(handle->bytes, wire.room + offsetof(struct file_handle, f_handle), handle->size);
	return 0;
}

int handle_open(int mount_fd, const struct handle *handle)
{
	union wire wire;

	wire.handle.handle_type = handle->type;
	wire.handle.handle_bytes = handle->size;
	memcpy(wire.room + offsetof(struct file_handle, f_handle), handle->bytes, handle->size);
	return open_by_handle_at(mount_fd, &wire.handle, O_PATH | O_CLOEXEC);
}

bool handles_work(int root_fd)
{
	struct handle handle;
	int error = handle_of(root_fd, "", &handle);
	int fd;

	if (error == 0) {
		fd = handle_open(root_fd, &handle);
		if (fd >= 0) {
			close(fd);
			return true;
		}
		error = errno;
	}
	errno = error;
	return false;
}
