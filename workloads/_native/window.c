/* SPDX-License-Identifier: GPL-2.0-only */
/* Lanes and windows; see window.h. */
#define _GNU_SOURCE
#include "window.h"
#include "histogram.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void lanes_free(struct lane *lanes, int threads)
{
	for (int i = 0; lanes && i < threads; i++) {
		for (size_t at = 0; at < lanes[i].own_count; at++)
			close(lanes[i].own_fds[at]);
		free(lanes[i].own_fds);
		free(lanes[i].buffer);
		free(lanes[i].histogram);
	}
	free(lanes);
}

static struct lane *lanes_alloc(int threads)
{
	size_t bytes = (size_t)threads * sizeof(struct lane);
	/* Lanes share no cache line; the size of one is a multiple of its alignment. */
	struct lane *lanes = aligned_alloc(_Alignof(struct lane), bytes);
	if (!lanes)
		return NULL;
	memset(lanes, 0, bytes);
	return lanes;
}

/* The lane's own descriptor of a directory, opened when it is first wanted; -1 with errno. */
static int own_fd(struct lane *lane, int *owned, int fd)
{
	if (owned[fd] >= 0)
		return owned[fd];
	owned[fd] = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (owned[fd] >= 0)
		lane->own_fds[lane->own_count++] = owned[fd];
	return owned[fd];
}

/* Gives a lane descriptors of its own for the directories it goes by: threads that share one contend
 * for its reference count, which would be the driver's doing and not the target's. */
static int own_directories(const struct lanes_plan *plan, struct lane *lane)
{
	int result = -1;
	int *owned = malloc(plan->directory_fds * sizeof *owned);
	lane->own_fds = calloc(plan->directory_fds, sizeof *lane->own_fds);
	if (!owned || !lane->own_fds)
		goto out;
	memset(owned, 0xff, plan->directory_fds * sizeof *owned);
	for (const struct visit *at = lane->begin; at != lane->end; at++) {
		struct visit *visit = &plan->visits[at - plan->visits];
		if ((visit->fd = own_fd(lane, owned, visit->fd)) < 0)
			goto out;
		if (visit->second_fd >= 0 &&
		    (visit->second_fd = own_fd(lane, owned, visit->second_fd)) < 0)
			goto out;
	}
	result = 0;
out:
	free(owned);
	return result;
}

static int lane_init(const struct lanes_plan *plan, struct lane *lane)
{
	void *buffer;
	errno = posix_memalign(&buffer, BLOCK, plan->buffer_bytes);
	if (errno)
		return -1;
	/* Written to, so that no page of it is first touched inside a window. */
	memset(buffer, 0, plan->buffer_bytes);
	lane->buffer = buffer;
	lane->buffer_bytes = plan->buffer_bytes;
	lane->statx_flags = plan->statx_flags;
	lane->root = plan->root;
	lane->text = plan->text;
	lane->share = plan->share;
	lane->credit = plan->credit;
	return 0;
}

struct lane *lanes_make(const struct lanes_plan *plan)
{
	size_t share = plan->size / (size_t)plan->threads;
	size_t more = plan->size % (size_t)plan->threads;
	const struct visit *at = plan->visits;
	struct lane *lanes = lanes_alloc(plan->threads);

	for (int i = 0; lanes && i < plan->threads; i++) {
		struct lane *lane = &lanes[i];
		lane->begin = lane->at = at;
		at += share + ((size_t)i < more);
		lane->end = at;
		if (lane_init(plan, lane) ||
		    (i && plan->directory_fds && own_directories(plan, lane))) {
			int error = errno;
			lanes_free(lanes, plan->threads);
			errno = error;
			return NULL;
		}
	}
	return lanes;
}

/* Memory for a histogram, zeroed and thereby touched before the window. */
static int clear_histogram(struct lane *lane)
{
	size_t bytes = HISTOGRAM_BUCKETS * sizeof *lane->histogram;
	if (!lane->histogram && !(lane->histogram = malloc(bytes)))
		return ENOMEM;
	memset(lane->histogram, 0, bytes);
	return 0;
}

int window_prepare(struct window *window, uint64_t served, uint64_t ops)
{
	uint64_t threads = (uint64_t)window->threads;
	for (uint64_t i = 0; i < threads; i++) {
		uint64_t before = (served + threads - 1 - i) / threads;
		uint64_t after = (served + ops + threads - 1 - i) / threads;
		struct lane *lane = &window->lanes[i];
		lane->quota = after - before;
		lane->done = lane->entries = lane->stats = 0;
		/* Ops come in turn from all threads, evenly spread. */
		lane->interval_ns =
			window->rate ? (uint64_t)((double)threads * 1e9 / window->rate) : 0;
		lane->due_ns = window->rate ? (uint64_t)((double)i * 1e9 / window->rate) : 0;
		memset(&lane->failure, 0, sizeof lane->failure);
		if (window->histogram && clear_histogram(lane))
			return ENOMEM;
	}
	return 0;
}

static void run_lane(struct thread_group *group, int index, void *shared)
{
	struct window *window = shared;
	struct lane *lane = &window->lanes[index];
	int nobody = -1;

	if (window->rate)
		window->loops->paced(lane, group);
	else if (window->histogram)
		window->loops->timed(lane, group);
	else
		window->loops->batch(lane, group);
	if (!lane->failure.visit)
		return;
	atomic_compare_exchange_strong(&window->failed, &nobody, index);
	atomic_store(&group->stop, true);
}

static void sum_up(struct window *window)
{
	uint64_t start = UINT64_MAX, end = 0;
	for (int i = 0; i < window->threads; i++) {
		const struct lane *lane = &window->lanes[i];
		window->ops += lane->done;
		window->entries += lane->entries;
		window->stats += lane->stats;
		start = lane->start_ns < start ? lane->start_ns : start;
		end = lane->end_ns > end ? lane->end_ns : end;
	}
	window->ns = end - start;
}

int window_run(struct window *window, thread_group_poll *poll, void *argument)
{
	struct thread_group group = {.threads = window->threads,
				     .body = run_lane,
				     .shared = window,
				     .poll = poll,
				     .poll_argument = argument};

	atomic_init(&window->failed, -1);
	window->ops = window->entries = window->stats = 0;
	int error = thread_group_run(&group);
	if (!error)
		sum_up(window);
	return error;
}
