/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads with a start barrier; see thread_group.h. */
#define _GNU_SOURCE
#include "thread_group.h"
#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define POLL_NS 200000000

struct member {
	struct start_barrier *barrier;
	pthread_t thread;
	int index;
};

struct start_barrier {
	struct thread_group *group;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int arrived;
	int running;
	bool open;
	bool called_off;
};

/* Waits until all have arrived; false if the run was called off. */
static bool pass_barrier(struct start_barrier *barrier)
{
	pthread_mutex_lock(&barrier->lock);
	if (++barrier->arrived == barrier->group->threads) {
		barrier->open = true;
		pthread_cond_broadcast(&barrier->changed);
	}
	while (!barrier->open && !barrier->called_off)
		pthread_cond_wait(&barrier->changed, &barrier->lock);
	bool go = !barrier->called_off;
	pthread_mutex_unlock(&barrier->lock);
	return go;
}

static void *member_main(void *argument)
{
	struct member *member = argument;
	struct start_barrier *barrier = member->barrier;

	if (pass_barrier(barrier))
		barrier->group->body(barrier->group, member->index, barrier->group->shared);
	pthread_mutex_lock(&barrier->lock);
	barrier->running--;
	pthread_cond_broadcast(&barrier->changed);
	pthread_mutex_unlock(&barrier->lock);
	return NULL;
}

/* Makes the threads, all signals blocked; how many were made is left in barrier->running. */
static int make_threads(struct start_barrier *barrier, struct member *members)
{
	sigset_t all, before;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (!error && barrier->running < barrier->group->threads) {
		struct member *member = &members[barrier->running];
		member->barrier = barrier;
		member->index = barrier->running;
		error = pthread_create(&member->thread, NULL, member_main, member);
		if (!error)
			barrier->running++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* Called with the lock held; returns with it held and no thread running. */
static void await(struct start_barrier *barrier)
{
	struct thread_group *group = barrier->group;

	while (barrier->running) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += POLL_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		int woken = pthread_cond_timedwait(&barrier->changed, &barrier->lock, &until);
		if (woken != ETIMEDOUT || !group->poll)
			continue;
		pthread_mutex_unlock(&barrier->lock);
		if (group->poll(group->poll_argument))
			atomic_store(&group->stop, true);
		pthread_mutex_lock(&barrier->lock);
	}
}

void thread_group_poll_alone(struct thread_group *group)
{
	sigset_t blocked;

	if (!group->poll || now_ns() - group->polled_ns < POLL_NS)
		return;
	pthread_sigmask(SIG_SETMASK, &group->signals_before, &blocked);
	if (group->poll(group->poll_argument))
		atomic_store(&group->stop, true);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	group->polled_ns = now_ns();
}

static void run_alone(struct thread_group *group)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &group->signals_before);
	group->alone = true;
	group->polled_ns = now_ns();
	group->body(group, 0, group->shared);
	group->alone = false;
	pthread_sigmask(SIG_SETMASK, &group->signals_before, NULL);
}

static int run_threads(struct thread_group *group)
{
	struct start_barrier barrier = {.group = group};
	struct member *members = calloc((size_t)group->threads, sizeof *members);
	if (!members)
		return ENOMEM;

	pthread_condattr_t monotonic;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&barrier.changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&barrier.lock, NULL);

	/* The lock is held until the caller sleeps, so no window opens while it still runs. */
	pthread_mutex_lock(&barrier.lock);
	int error = make_threads(&barrier, members);
	int made = barrier.running;
	barrier.called_off = error != 0;
	pthread_cond_broadcast(&barrier.changed);
	await(&barrier);
	pthread_mutex_unlock(&barrier.lock);
	for (int i = 0; i < made; i++)
		pthread_join(members[i].thread, NULL);

	pthread_mutex_destroy(&barrier.lock);
	pthread_cond_destroy(&barrier.changed);
	free(members);
	return error;
}

int thread_group_run(struct thread_group *group)
{
	if (group->threads > 1)
		return run_threads(group);
	run_alone(group);
	return 0;
}
