/* SPDX-License-Identifier: GPL-2.0-only */
/* The request loop; see server_loop.h. */

#define _GNU_SOURCE
#include "server_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "fuse_abi.h"
#include "server_log.h"
#include "server_ops.h"
#include "shim.h"

#define WORKER_ENDED SIGUSR1 /* to the main thread, which waits for it */
#define STOP_READING SIGUSR2 /* to a worker, whose read it interrupts */

struct worker {
	pthread_t thread;
	pthread_t main_thread;
	struct fuse_session *session;
	int clone_fd; /* -1: reads the session's own */
	int ended; /* atomic */
};

static sigset_t ending_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, WORKER_ENDED);
	return set;
}

static void interrupt_only(int number)
{
	(void)number;
}

void loop_block_signals(void)
{
	const struct sigaction action = {.sa_handler = interrupt_only}; /* no SA_RESTART */
	const sigset_t set = ending_signals();

	sigaction(STOP_READING, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

/* Serves in this thread until unmounted, aborted, or the session is told to exit. */
static void serve(struct fuse_session *session)
{
	struct fuse_buf buffer = {.mem = NULL};
	int got;

	while (!fuse_session_exited(session)) {
		got = fuse_session_receive_buf(session, &buffer);
		if (got == -EINTR || got == -EAGAIN)
			continue;
		if (got <= 0)
			break;
		fuse_session_process_buf(session, &buffer);
	}
	free(buffer.mem);
	reply_buffer_free();
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	shim_use_clone(worker->clone_fd);
	serve(worker->session);
	__atomic_store_n(&worker->ended, 1, __ATOMIC_RELEASE);
	pthread_kill(worker->main_thread, WORKER_ENDED);
	return NULL;
}

static int open_clone(struct fuse_session *session)
{
	uint32_t master = (uint32_t)fuse_session_fd(session);
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, IOC_CLONE, &master) != 0) {
		server_log("--clone-fd: /dev/fuse: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* Starts one worker. Returns 0 or an errno. */
static int start(struct worker *worker, struct fuse_session *session, bool clone_fd)
{
	int error;

	*worker = (struct worker){
		.main_thread = pthread_self(),
		.session = session,
		.clone_fd = -1,
	};
	if (clone_fd) {
		worker->clone_fd = open_clone(session);
		if (worker->clone_fd < 0)
			return errno ? errno : EIO;
	}
	error = pthread_create(&worker->thread, NULL, work, worker);
	if (error != 0) {
		server_log("thread: %s", strerror(error));
		if (worker->clone_fd >= 0)
			close(worker->clone_fd);
	}
	return error;
}

/* Ends one worker, wherever it is: a signal just ahead of its read would be lost, so again and again. */
static void stop(struct worker *worker)
{
	const struct timespec millisecond = {.tv_nsec = 1000000};

	while (!__atomic_load_n(&worker->ended, __ATOMIC_ACQUIRE)) {
		pthread_kill(worker->thread, STOP_READING);
		nanosleep(&millisecond, NULL);
	}
	pthread_join(worker->thread, NULL);
	if (worker->clone_fd >= 0)
		close(worker->clone_fd);
}

static struct fuse_session *serving_alone;

/* Rings from now on every millisecond: a signal just ahead of a read does not interrupt it. */
static void end_alone(int number)
{
	const struct itimerval soon = {{.tv_usec = 1000}, {.tv_usec = 1000}};

	(void)number;
	fuse_session_exit(serving_alone);
	setitimer(ITIMER_REAL, &soon, NULL);
}

/*
 * Serves in the main thread. A process with a second thread, be it asleep, has the kernel take a
 * reference on the descriptor in every system call: 0.3 us a request.
 */
static void serve_alone(struct fuse_session *session)
{
	const struct sigaction interrupt = {.sa_handler = interrupt_only}; /* no SA_RESTART */
	const struct sigaction end = {.sa_handler = end_alone};
	const struct itimerval never = {0};
	const sigset_t set = ending_signals();

	serving_alone = session;
	sigaction(SIGALRM, &interrupt, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGHUP, &end, NULL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	serve(session);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	setitimer(ITIMER_REAL, &never, NULL);
}

static int serve_with_workers(struct fuse_session *session, unsigned int threads, bool clone_fd)
{
	struct worker *workers = calloc(threads, sizeof(*workers));
	const sigset_t set = ending_signals();
	unsigned int started = 0;
	int error = workers ? 0 : ENOMEM;
	int number;

	while (error == 0 && started < threads) {
		/* The first one has the session's own descriptor to itself. */
		error = start(&workers[started], session, clone_fd && started > 0);
		started += error == 0;
	}
	if (error == 0)
		sigwait(&set, &number);
	fuse_session_exit(session);
	for (unsigned int i = 0; i < started; i++)
		stop(&workers[i]);
	free(workers);
	return error;
}

int loop_run(struct fuse_session *session, unsigned int threads, bool clone_fd)
{
	if (threads > 1)
		return serve_with_workers(session, threads, clone_fd);
	serve_alone(session);
	return 0;
}
