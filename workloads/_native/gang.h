/* A gang: T threads that pass one start barrier together, and a caller that waits for them.
 *
 * Threads are made anew for each run, before the barrier, so that they inherit the affinity the
 * caller has at that moment. They block every signal: a signal must not interrupt the system call
 * under measurement (FUSE would answer EINTR), and the caller is the one who acts on it.
 */
#ifndef GANG_H
#define GANG_H

#include <stdatomic.h>
#include <stdbool.h>

struct gang;

typedef void gang_body(struct gang *gang, int index, void *shared);
/* Called by the waiting caller about five times a second; not 0 asks the threads to stop. */
typedef int gang_poll(void *argument);

struct gang {
    int threads;
    gang_body *body;
    void *shared;
    gang_poll *poll;
    void *poll_argument;
    /* Set by whoever wants all threads to end early; bodies read it relaxed. */
    atomic_bool stop;
};

/* Runs body once on each thread; 0, or the errno that kept a thread from being made. */
int gang_run(struct gang *gang);

static inline bool gang_stopped(struct gang *gang)
{
    return atomic_load_explicit(&gang->stop, memory_order_relaxed);
}

#endif
