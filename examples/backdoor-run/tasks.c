/* SPDX-License-Identifier: MIT */
#include "tasks.h"

#include <stdlib.h>

struct task *tasks_find(struct task *list, pid_t tid)
{
    while (list && list->tid != tid)
        list = list->next;
    return list;
}

struct task *tasks_add(struct task **list, pid_t tid)
{
    struct task *task = calloc(1, sizeof *task);

    if (!task)
        return NULL;
    task->tid = tid;
    task->next = *list;
    *list = task;
    return task;
}

void tasks_remove(struct task **list, pid_t tid)
{
    struct task *task;

    for (; *list; list = &(*list)->next)
        if ((*list)->tid == tid) {
            task = *list;
            *list = task->next;
            space_drop(task->space);
            free(task);
            return;
        }
}

struct space *space_new(const struct space *like)
{
    struct space *space = calloc(1, sizeof *space);

    if (!space)
        return NULL;
    if (like) {
        *space = *like;
        if (!sites_copy(&space->sites, &like->sites)) {
            sites_drop(&space->sites);
            free(space);
            return NULL;
        }
    }
    space->users = 1;
    return space;
}

struct space *space_share(struct space *space)
{
    space->users++;
    return space;
}

void space_drop(struct space *space)
{
    if (!space || --space->users != 0)
        return;
    sites_drop(&space->sites);
    free(space);
}
