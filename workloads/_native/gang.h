/* A gang: T threads that pass one start barrier together, and a caller that waits for them.
 *
 * Threads are made anew for each run, before the barrier, so that they inherit the affinity the
 * caller has at that moment. A gang of one is the caller itself: where threads share a descriptor
 * table the kernel must take a reference on every descriptor it is handed, which was measured at
 * 75 ns per statx. Signals are blocked while a body runs: one must not interrupt the system call
 * under measurement (FUSE would answer EINTR). The caller acts on them a few times a second.
 */
#ifndef GANG_H
#define GANG_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gang;

typedef void gang_body(struct gang *gang, int index, void *shared);
/* Called in the caller's thread about five times a second; not 0 asks the threads to stop. */
typedef int gang_poll(void *argument);

struct gang {
    int threads;
    gang_body *body;
    void *shared;
    gang_poll *poll;
    void *poll_argument;
    /* Set by whoever wants all threads to end early. */
    atomic_bool stop;
    /* A gang of one has to ask by itself; see gang_stopped. */
    bool solo;
    uint64_t polled_ns;
    sigset_t signals_before;
};

/* Runs body once on each thread; 0, or the errno that kept a thread from being made. */
int gang_run(struct gang *gang);

/* Lets signals in and polls, if it is time to; for gangs of one. */
void gang_poll_solo(struct gang *gang);

/* Whether to end early. Bodies ask between bundles of work, every few milliseconds or oftener;
 * in a gang of one it costs a clock reading. */
static inline bool gang_stopped(struct gang *gang)
{
    if (gang->solo)
        gang_poll_solo(gang);
    return atomic_load_explicit(&gang->stop, memory_order_relaxed);
}

#endif
