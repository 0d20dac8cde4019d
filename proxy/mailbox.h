/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the control thread and the workers talk: whole objects, handed over.
 *
 * A letter is allocated by its sender, run once by the receiver, and comes back to the sender's
 * mailbox to be run there again (usually to free it): no thread ever frees another's memory.
 * Posting is one compare-and-swap; looking into an empty box is one load.
 */
#ifndef CYC_PROXY_MAILBOX_H
#define CYC_PROXY_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

struct cyc_letter;

/** @param owner  the receiver: a struct cyc_worker, or the struct cyc_master on the way back */
typedef void cyc_letter_run(struct cyc_letter *letter, void *owner);

struct cyc_letter {
    cyc_letter_run *run;
    struct cyc_letter *next; /* mailbox's */
};

struct cyc_mailbox {
    struct cyc_letter *newest; /* atomic; a stack */
};

/** Any thread. The receiver must be woken (cyc_io_wake). */
static inline void cyc_mailbox_post(struct cyc_mailbox *box, struct cyc_letter *letter)
{
    struct cyc_letter *newest = __atomic_load_n(&box->newest, __ATOMIC_RELAXED);
    do {
        letter->next = newest;
    } while (!__atomic_compare_exchange_n(&box->newest, &newest, letter, true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

static inline bool cyc_mailbox_is_empty(const struct cyc_mailbox *box)
{
    return __atomic_load_n(&box->newest, __ATOMIC_RELAXED) == NULL;
}

/** The receiver only: takes everything out, oldest first. */
static inline struct cyc_letter *cyc_mailbox_take_all(struct cyc_mailbox *box)
{
    struct cyc_letter *newest = __atomic_exchange_n(&box->newest, NULL, __ATOMIC_ACQUIRE);
    struct cyc_letter *oldest = NULL;

    while (newest != NULL) {
        struct cyc_letter *letter = newest;
        newest = letter->next;
        letter->next = oldest;
        oldest = letter;
    }
    return oldest;
}

#endif
