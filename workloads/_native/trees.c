/* Building, checking and removing trees; see trees.h.
 *
 * The directories of the first levels are made by the caller, until there are enough subtrees to
 * keep all threads busy; threads then take subtree after subtree. What is kept per thread does not
 * depend on the number of files, and one descriptor is open per level.
 */
#define _GNU_SOURCE
#include "trees.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUBTREES_PER_THREAD 8
#define CONTENT_BYTES 65536
#define LIST_BUFFER 32768
#define ASK_EVERY 4096
#define REPORT_EVERY 256
#define CLEAR_AT_ONCE 4096

struct crew {
    struct tree_job *job;
    uint64_t level, first, subtrees;
    _Atomic uint64_t next;
    atomic_flag failed;
};

struct hand {
    struct crew *crew;
    struct gang *gang;
    const struct shape *shape;
    uint64_t unreported;
    unsigned char *content;
    char name[MAX_NAME + 1];
};

static int fail(struct tree_job *job, const char *what, const char *path)
{
    job->failure.error = errno;
    job->failure.what = what;
    snprintf(job->failure.path, sizeof job->failure.path, "%s", path);
    return -1;
}

/* The first hand that fails speaks for all. */
static int fail_hand(struct hand *hand, const char *what, enum kind kind, uint64_t index)
{
    char path[MAX_PATH];
    int error = errno;
    if (!atomic_flag_test_and_set(&hand->crew->failed)) {
        shape_path(hand->shape, kind, index, path);
        errno = error;
        fail(hand->crew->job, what, path);
    }
    atomic_store(&hand->gang->stop, true);
    return -1;
}

static int write_content(int fd, uint64_t seed, uint64_t stream, uint64_t size, void *buffer)
{
    for (uint64_t at = 0; at < size;) {
        size_t bytes = size - at < CONTENT_BYTES ? (size_t)(size - at) : CONTENT_BYTES;
        shape_content(seed, stream, at, buffer, bytes);
        for (size_t done = 0; done < bytes;) {
            ssize_t wrote = write(fd, (char *)buffer + done, bytes - done);
            if (wrote < 0)
                return -1;
            done += (size_t)wrote;
        }
        at += bytes;
    }
    return 0;
}

/* A file with content; -1 with errno. */
static int make_full(int dir, const char *name, uint64_t seed, uint64_t stream, uint64_t size,
                     void *buffer)
{
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return -1;
    int result = write_content(fd, seed, stream, size, buffer);
    int error = errno;
    if (close(fd) && !result)
        return -1;
    errno = error;
    return result;
}

static void report(struct hand *hand)
{
    atomic_fetch_add_explicit(&hand->crew->job->made, hand->unreported, memory_order_relaxed);
    hand->unreported = 0;
}

static int fill_leaf(struct hand *hand, int fd, uint64_t leaf)
{
    const struct shape *shape = hand->shape;
    uint64_t first = (leaf - shape->first_leaf) * shape->files_per_dir;

    for (uint64_t i = first; i < first + shape->files_per_dir; i++) {
        shape_name(shape, KIND_FILE, i, hand->name);
        int error = shape->file_size
            ? make_full(fd, hand->name, shape->seed, i, shape->file_size, hand->content)
            : mknodat(fd, hand->name, S_IFREG | 0644, 0);
        if (error)
            return fail_hand(hand, "make a file", KIND_FILE, i);
        if (++hand->unreported == REPORT_EVERY || shape->file_size) {
            report(hand);
            if (gang_stopped(hand->gang))
                return -1;
        }
    }
    return 0;
}

static int fill_dir(struct hand *hand, int fd, uint64_t dir);

static int make_child(struct hand *hand, int fd, uint64_t child)
{
    shape_name(hand->shape, KIND_DIR, child, hand->name);
    if (mkdirat(fd, hand->name, 0755))
        return fail_hand(hand, "make a directory", KIND_DIR, child);
    int child_fd = openat(fd, hand->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child_fd < 0)
        return fail_hand(hand, "open", KIND_DIR, child);
    int result = fill_dir(hand, child_fd, child);
    close(child_fd);
    return result;
}

static int fill_dir(struct hand *hand, int fd, uint64_t dir)
{
    if (dir >= hand->shape->first_leaf)
        return fill_leaf(hand, fd, dir);
    uint64_t first = dir * hand->shape->branching + 1;
    for (uint64_t child = first; child < first + hand->shape->branching; child++)
        if (gang_stopped(hand->gang) || make_child(hand, fd, child))
            return -1;
    return 0;
}

/* Fills a directory that the caller has made. */
static int fill_subtree(struct hand *hand, uint64_t dir)
{
    char path[MAX_PATH];
    shape_path(hand->shape, KIND_DIR, dir, path);
    int fd = openat(hand->crew->job->base, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail_hand(hand, "open", KIND_DIR, dir);
    int result = fill_dir(hand, fd, dir);
    close(fd);
    return result;
}

static int make_data(struct tree_job *job, uint64_t index, void *buffer)
{
    char path[64];
    snprintf(path, sizeof path, DATA_DIR "/%02llu", (unsigned long long)index);
    /* The streams of data files lie above those of any file of the tree. */
    if (make_full(job->base, path, job->shape->seed, MAX_COUNT + index, job->data_bytes, buffer))
        return fail(job, "make a file", path);
    return 0;
}

static int take_data(struct hand *hand, uint64_t index)
{
    struct tree_job unspoken = {.shape = hand->shape, .base = hand->crew->job->base,
                                .data_bytes = hand->crew->job->data_bytes};
    if (!make_data(&unspoken, index, hand->content))
        return 0;
    if (!atomic_flag_test_and_set(&hand->crew->failed))
        hand->crew->job->failure = unspoken.failure;
    atomic_store(&hand->gang->stop, true);
    return -1;
}

static void work(struct gang *gang, int index, void *shared)
{
    struct crew *crew = shared;
    struct hand hand = {.crew = crew, .gang = gang, .shape = crew->job->shape};
    uint64_t tasks = crew->job->data_files + crew->subtrees, task;

    (void)index;
    hand.content = malloc(CONTENT_BYTES);
    if (!hand.content) {
        fail_hand(&hand, "buffer", KIND_DIR, 0);
        return;
    }
    while (!gang_stopped(gang) && (task = atomic_fetch_add(&crew->next, 1)) < tasks) {
        int failed = task < crew->job->data_files
            ? take_data(&hand, task)
            : fill_subtree(&hand, crew->first + task - crew->job->data_files);
        if (failed)
            break;
    }
    report(&hand);
    free(hand.content);
}

/* Makes the directories down to the level whose directories are the threads' subtrees. */
static int make_crown(struct crew *crew)
{
    struct tree_job *job = crew->job;
    char path[MAX_PATH];

    if (mkdirat(job->base, TREE_DIR, 0755))
        return fail(job, "make a directory", TREE_DIR);
    if (job->data_files && mkdirat(job->base, DATA_DIR, 0755))
        return fail(job, "make a directory", DATA_DIR);
    crew->first = shape_level(job->shape, 0, &crew->subtrees);
    while (crew->level < job->shape->depth
           && crew->subtrees < (uint64_t)job->threads * SUBTREES_PER_THREAD) {
        crew->first = shape_level(job->shape, ++crew->level, &crew->subtrees);
        for (uint64_t dir = crew->first; dir < crew->first + crew->subtrees; dir++) {
            shape_path(job->shape, KIND_DIR, dir, path);
            if (mkdirat(job->base, path, 0755))
                return fail(job, "make a directory", path);
        }
    }
    return 0;
}

int trees_build(struct tree_job *job)
{
    struct crew crew = {.job = job, .failed = ATOMIC_FLAG_INIT};
    struct gang gang = {.threads = job->threads, .body = work, .shared = &crew,
                        .poll = job->poll, .poll_argument = job->poll_argument};

    if (make_crown(&crew))
        return -1;
    errno = gang_run(&gang);
    if (errno)
        return fail(job, "threads", TREE_DIR);
    if (job->failure.what)
        return -1;
    if (gang_stopped(&gang)) {
        errno = EINTR;
        return fail(job, "build", TREE_DIR);
    }
    return 0;
}

struct removal {
    struct tree_job *job;
    /* NULL in the caller's thread, which polls by itself. */
    struct gang *gang;
    dev_t device;
    uint64_t removed;
};

static bool removal_stopped(struct removal *removal)
{
    if (++removal->removed % ASK_EVERY)
        return false;
    if (removal->gang)
        return gang_stopped(removal->gang);
    return removal->job->poll && removal->job->poll(removal->job->poll_argument);
}

static int remove_below(struct removal *removal, int parent, const char *name);

static int remove_entry(struct removal *removal, int fd, const struct dirent64 *entry)
{
    struct tree_job *job = removal->job;

    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
        return 0;
    if (removal_stopped(removal)) {
        errno = EINTR;
        return fail(job, "remove", entry->d_name);
    }
    if (entry->d_type != DT_DIR && !unlinkat(fd, entry->d_name, 0))
        return 0;
    /* A file system that gives no d_type says EISDIR when it is a directory after all. */
    if (entry->d_type != DT_DIR && errno != EISDIR)
        return fail(job, "remove", entry->d_name);
    return remove_below(removal, fd, entry->d_name);
}

static int remove_listed(struct removal *removal, int fd, const char *name)
{
    ssize_t got;
    int result = -1;
    char *buffer = malloc(LIST_BUFFER);
    if (!buffer)
        return fail(removal->job, "remove", name);

    while ((got = getdents64(fd, buffer, LIST_BUFFER)) > 0)
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const void *)(buffer + at);
            at += entry->d_reclen;
            if (remove_entry(removal, fd, entry))
                goto out;
        }
    result = got < 0 ? fail(removal->job, "list", name) : 0;
out:
    free(buffer);
    return result;
}

static int remove_open(struct removal *removal, int fd, const char *name)
{
    struct stat st;
    if (fstat(fd, &st))
        return fail(removal->job, "stat", name);
    if (st.st_dev != removal->device) {
        errno = EXDEV;
        return fail(removal->job, "remove (another file system is mounted here)", name);
    }
    return remove_listed(removal, fd, name);
}

static int remove_below(struct removal *removal, int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail(removal->job, "open", name);
    int result = remove_open(removal, fd, name);
    close(fd);
    if (!result && unlinkat(parent, name, AT_REMOVEDIR))
        return fail(removal->job, "remove", name);
    return result;
}

/* What the threads of a removal share: the subdirectories of one directory, taken one by one. */
struct clearing {
    struct tree_job *job;
    int fd;
    dev_t device;
    char (*names)[MAX_NAME + 1];
    size_t count;
    _Atomic size_t next;
    atomic_flag failed;
};

static void clear(struct gang *gang, int index, void *shared)
{
    struct clearing *clearing = shared;
    struct tree_job job = {.base = clearing->fd};
    struct removal removal = {.job = &job, .gang = gang, .device = clearing->device};
    size_t i;

    (void)index;
    while (!gang_stopped(gang) && (i = atomic_fetch_add(&clearing->next, 1)) < clearing->count) {
        if (!remove_below(&removal, clearing->fd, clearing->names[i]))
            continue;
        if (!atomic_flag_test_and_set(&clearing->failed))
            clearing->job->failure = job.failure;
        atomic_store(&gang->stop, true);
    }
}

/* Names of up to CLEAR_AT_ONCE subdirectories; what is left over is removed by the caller alone. */
static int list_subdirs(struct clearing *clearing, const char *name)
{
    _Alignas(struct dirent64) char buffer[LIST_BUFFER];
    ssize_t got = 0;

    while (clearing->count < CLEAR_AT_ONCE
           && (got = getdents64(clearing->fd, buffer, sizeof buffer)) > 0)
        for (ssize_t at = 0; at < got && clearing->count < CLEAR_AT_ONCE;) {
            const struct dirent64 *entry = (const void *)(buffer + at);
            at += entry->d_reclen;
            if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".")
                && strcmp(entry->d_name, ".."))
                strcpy(clearing->names[clearing->count++], entry->d_name);
        }
    return got < 0 ? fail(clearing->job, "list", name) : 0;
}

static int clear_subdirs(struct clearing *clearing, const char *name)
{
    struct tree_job *job = clearing->job;
    struct gang gang = {.threads = job->threads, .body = clear, .shared = clearing,
                        .poll = job->poll, .poll_argument = job->poll_argument};

    clearing->names = malloc(CLEAR_AT_ONCE * sizeof *clearing->names);
    if (!clearing->names)
        return fail(job, "remove", name);
    int result = list_subdirs(clearing, name);
    if (!result && (errno = gang_run(&gang)))
        result = fail(job, "threads", name);
    free(clearing->names);
    if (!result && gang_stopped(&gang) && !job->failure.what) {
        errno = EINTR;
        result = fail(job, "remove", name);
    }
    return result || job->failure.what ? -1 : 0;
}

int trees_remove(struct tree_job *job, const char *name)
{
    struct removal removal = {.job = job};
    struct clearing clearing = {.job = job, .failed = ATOMIC_FLAG_INIT};
    struct stat base, st;

    if (fstat(job->base, &base))
        return fail(job, "stat", name);
    removal.device = clearing.device = base.st_dev;
    clearing.fd = openat(job->base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (clearing.fd < 0)
        return errno == ENOENT ? 0 : fail(job, "open", name);
    int result = -1;
    if (fstat(clearing.fd, &st))
        fail(job, "stat", name);
    else if (st.st_dev == base.st_dev)
        result = clear_subdirs(&clearing, name);
    else
        result = 0; /* refused below, with the same words as any other mount */
    close(clearing.fd);
    return result ? -1 : remove_below(&removal, job->base, name);
}

static int check_one(struct tree_job *job, enum kind kind, uint64_t index, int64_t built_ns)
{
    char path[MAX_PATH];
    struct statx st;
    uint64_t size = job->shape->file_size;

    shape_path(job->shape, kind, index, path);
    errno = 0;
    if (statx(job->base, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st))
        return fail(job, "missing", path);
    if (kind == KIND_DIR ? !S_ISDIR(st.stx_mode) : !S_ISREG(st.stx_mode))
        return fail(job, "of another type", path);
    if (kind == KIND_FILE && st.stx_size != size)
        return fail(job, "of another size", path);
    if (st.stx_mtime.tv_sec * 1000000000 + st.stx_mtime.tv_nsec > built_ns)
        return fail(job, "modified since it was built", path);
    return 0;
}

static int check_kind(struct tree_job *job, enum kind kind, uint64_t samples, int64_t built_ns)
{
    uint64_t count = shape_count(job->shape, kind);
    if (samples > count)
        samples = count;
    for (uint64_t i = 0; i < samples; i++)
        /* In double: the product of two counts may not fit, and any spread will do. */
        if (check_one(job, kind, (uint64_t)((double)i / (double)samples * (double)count), built_ns))
            return -1;
    return 0;
}

int trees_check(struct tree_job *job, const struct tree_sample *sample)
{
    if (check_kind(job, KIND_DIR, sample->dirs, sample->built_ns))
        return -1;
    return check_kind(job, KIND_FILE, sample->files, sample->built_ns);
}
