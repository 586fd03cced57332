/* Threads with a start barrier; see gang.h. */
#define _GNU_SOURCE
#include "gang.h"
#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define POLL_NS 200000000

struct member {
    struct muster *muster;
    pthread_t thread;
    int index;
};

struct muster {
    struct gang *gang;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int arrived;
    int running;
    bool open;
    bool called_off;
};

/* Waits until all have arrived; false if the run was called off. */
static bool pass_barrier(struct muster *muster)
{
    pthread_mutex_lock(&muster->lock);
    if (++muster->arrived == muster->gang->threads) {
        muster->open = true;
        pthread_cond_broadcast(&muster->changed);
    }
    while (!muster->open && !muster->called_off)
        pthread_cond_wait(&muster->changed, &muster->lock);
    bool go = !muster->called_off;
    pthread_mutex_unlock(&muster->lock);
    return go;
}

static void *member_main(void *argument)
{
    struct member *member = argument;
    struct muster *muster = member->muster;

    if (pass_barrier(muster))
        muster->gang->body(muster->gang, member->index, muster->gang->shared);
    pthread_mutex_lock(&muster->lock);
    muster->running--;
    pthread_cond_broadcast(&muster->changed);
    pthread_mutex_unlock(&muster->lock);
    return NULL;
}

/* Makes the threads, all signals blocked; how many were made is left in muster->running. */
static int enlist(struct muster *muster, struct member *members)
{
    sigset_t all, before;
    int error = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (!error && muster->running < muster->gang->threads) {
        struct member *member = &members[muster->running];
        member->muster = muster;
        member->index = muster->running;
        error = pthread_create(&member->thread, NULL, member_main, member);
        if (!error)
            muster->running++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Called with the lock held; returns with it held and no thread running. */
static void await(struct muster *muster)
{
    struct gang *gang = muster->gang;

    while (muster->running) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += POLL_NS;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        int woken = pthread_cond_timedwait(&muster->changed, &muster->lock, &until);
        if (woken != ETIMEDOUT || !gang->poll)
            continue;
        pthread_mutex_unlock(&muster->lock);
        if (gang->poll(gang->poll_argument))
            atomic_store(&gang->stop, true);
        pthread_mutex_lock(&muster->lock);
    }
}

void gang_poll_solo(struct gang *gang)
{
    sigset_t blocked;

    if (!gang->poll || now_ns() - gang->polled_ns < POLL_NS)
        return;
    pthread_sigmask(SIG_SETMASK, &gang->signals_before, &blocked);
    if (gang->poll(gang->poll_argument))
        atomic_store(&gang->stop, true);
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    gang->polled_ns = now_ns();
}

static void run_solo(struct gang *gang)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &gang->signals_before);
    gang->solo = true;
    gang->polled_ns = now_ns();
    gang->body(gang, 0, gang->shared);
    gang->solo = false;
    pthread_sigmask(SIG_SETMASK, &gang->signals_before, NULL);
}

static int run_threads(struct gang *gang)
{
    struct muster muster = {.gang = gang};
    struct member *members = calloc((size_t)gang->threads, sizeof *members);
    if (!members)
        return ENOMEM;

    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&muster.changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&muster.lock, NULL);

    /* The lock is held until the caller sleeps, so no window opens while it still runs. */
    pthread_mutex_lock(&muster.lock);
    int error = enlist(&muster, members);
    int made = muster.running;
    muster.called_off = error != 0;
    pthread_cond_broadcast(&muster.changed);
    await(&muster);
    pthread_mutex_unlock(&muster.lock);
    for (int i = 0; i < made; i++)
        pthread_join(members[i].thread, NULL);

    pthread_mutex_destroy(&muster.lock);
    pthread_cond_destroy(&muster.changed);
    free(members);
    return error;
}

int gang_run(struct gang *gang)
{
    if (gang->threads > 1)
        return run_threads(gang);
    run_solo(gang);
    return 0;
}
