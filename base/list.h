/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intrusive doubly linked list: the link lives in the object, the list owns nothing.
 *
 * A link that is in no list points to itself, so "is it linked?" is a question to the link alone
 * and removing twice is harmless. Initialise every link and every list head before use.
 */
#ifndef CYC_BASE_LIST_H
#define CYC_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/** The object that embeds `member` at `ptr`. */
#define cyc_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/** Moves the pointer out of its place; the place is empty afterwards. */
#define cyc_take(place)                                                                            \
    __extension__({                                                                                \
        __typeof__(place) taken_ = (place);                                                        \
        (place) = NULL;                                                                            \
        taken_;                                                                                    \
    })

struct cyc_list {
    struct cyc_list *next, *previous;
};

static inline void cyc_list_init(struct cyc_list *list)
{
    list->next = list->previous = list;
}

static inline bool cyc_list_is_empty(const struct cyc_list *list)
{
    return list->next == list;
}

/** The same question, asked of a link. */
static inline bool cyc_list_is_linked(const struct cyc_list *link)
{
    return link->next != link;
}

static inline void cyc_list_add_after(struct cyc_list *at, struct cyc_list *link)
{
    link->previous = at;
    link->next = at->next;
    at->next->previous = link;
    at->next = link;
}

static inline void cyc_list_add_front(struct cyc_list *list, struct cyc_list *link)
{
    cyc_list_add_after(list, link);
}

static inline void cyc_list_add_back(struct cyc_list *list, struct cyc_list *link)
{
    cyc_list_add_after(list->previous, link);
}

/** No-op when in no list. */
static inline void cyc_list_remove(struct cyc_list *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->next = link->previous = link;
}

/** Takes the first link out, or answers NULL. */
static inline struct cyc_list *cyc_list_take_front(struct cyc_list *list)
{
    struct cyc_list *link = list->next;
    if (link == list)
        return NULL;
    cyc_list_remove(link);
    return link;
}

/** Moves everything in `from` to the empty list `to`. */
static inline void cyc_list_move_all(struct cyc_list *from, struct cyc_list *to)
{
    cyc_list_init(to);
    if (cyc_list_is_empty(from))
        return;
    *to = *from;
    to->next->previous = to;
    to->previous->next = to;
    cyc_list_init(from);
}

/** Walks `list`; the current link may be removed by the body, no other may. */
#define cyc_list_for_each(link, list)                                                              \
    for (struct cyc_list *link = (list)->next, *link##_next = link->next; link != (list);          \
         link = link##_next, link##_next = link->next)

#endif
