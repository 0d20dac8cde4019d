/* SPDX-License-Identifier: Apache-2.0 */
/* How a service answers one request: chosen by the seed, well behaved or not. */
#ifndef CYC_TESTS_SIM_SIM_SCRIPT_H
#define CYC_TESTS_SIM_SIM_SCRIPT_H

#include "tests/sim/sim_ledger.h"

enum sim_mischief {
    SIM_MISCHIEF_NONE,
    SIM_MISCHIEF_END_BEFORE,   /* the connection ends before the head */
    SIM_MISCHIEF_PARTIAL_HEAD, /* ... within it */
    SIM_MISCHIEF_CUT_BODY,     /* ... within the body */
    SIM_MISCHIEF_HANG,         /* nothing ever comes */
    SIM_MISCHIEF_BAD_HEAD,     /* not HTTP, or framed in two ways */
    SIM_MISCHIEF_BAD_CHUNK,
    SIM_MISCHIEF_EXTRA_BYTES, /* behind the answer comes one that nobody asked for */
    SIM_MISCHIEF_COUNT
};

struct sim_script {
    enum sim_mischief mischief;
    bool is_by_reset; /* how the connection ends when it ends early */
    bool is_early;    /* does not wait for the request's end */
    bool is_closing;  /* the last answer of its connection */
    bool is_old;      /* says HTTP/1.0 */
    bool has_extensions;
    uint32_t info_count;
    uint32_t delay_ms, piece_ms;
    uint64_t cut_bytes; /* CUT_BODY: so much of the body comes */
};

/** Decides; fills the arrival's side of the answer too. @param mischief_permille  how often badly
 */
void cyc_sim_script_draw(struct sim_run *run, struct sim_script *script,
                         const struct sim_request *request, struct sim_arrival *arrival,
                         uint32_t mischief_permille);
/** Whether the request need not succeed with that answer. */
bool cyc_sim_script_may_fail(const struct sim_script *script, const struct sim_request *request);
/** Writes the interim answers and the head. */
void cyc_sim_script_head(struct sim_run *run, const struct sim_script *script,
                         const struct sim_request *request, const struct sim_arrival *arrival,
                         struct cyc_buf *out);
/** The writer of its body. */
struct sim_writer cyc_sim_script_body(const struct sim_script *script,
                                      const struct sim_request *request,
                                      const struct sim_arrival *arrival);
/** How many body bytes: mostly few. */
uint64_t cyc_sim_body_bytes_draw(struct sim_run *run);

#endif
