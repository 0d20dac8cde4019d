/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim_wire.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum wire_state {
    WIRE_HEAD,
    WIRE_BODY,       /* left_bytes of it */
    WIRE_CHUNK_LINE, /* size */
    WIRE_CHUNK,
    WIRE_CHUNK_END, /* CRLF */
    WIRE_TRAILERS,
    WIRE_UNTIL_CLOSE,
    WIRE_END_DUE, /* the head was all of it */
    WIRE_BROKEN,
};

void cyc_sim_wire_init(struct sim_wire *wire, bool is_response)
{
    wire->is_response = is_response;
    wire->is_head_request = false;
    wire->state = WIRE_HEAD;
    wire->text_len = 0;
    wire->field_count = 0;
    wire->problem = NULL;
}

void cyc_sim_wire_tunnel(struct sim_wire *wire)
{
    wire->state = WIRE_UNTIL_CLOSE;
}

bool cyc_sim_wire_is_between(const struct sim_wire *wire)
{
    return wire->state == WIRE_HEAD && wire->text_len == 0;
}

static enum sim_wire_event broken(struct sim_wire *wire, const char *problem)
{
    wire->state = WIRE_BROKEN;
    wire->problem = problem;
    return SIM_WIRE_BAD;
}

static bool name_is(struct cyc_span name, const char *text)
{
    return name.len == strlen(text) && strncasecmp(name.ptr, text, name.len) == 0;
}

struct cyc_span cyc_sim_wire_find(const struct sim_wire *wire, const char *name)
{
    struct cyc_span found = {NULL, 0};

    for (uint32_t i = 0; i < wire->field_count; i++)
        if (name_is(wire->fields[i].name, name))
            found = found.ptr == NULL ? wire->fields[i].value : cyc_span_from_text("?several");
    return found;
}

static uint64_t number_of(struct cyc_span text)
{
    uint64_t number = 0;

    if (text.ptr == NULL || text.len == 0 || text.len > 18)
        return UINT64_MAX;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return UINT64_MAX;
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    return number;
}

uint64_t cyc_sim_wire_number(const struct sim_wire *wire, const char *name)
{
    return number_of(cyc_sim_wire_find(wire, name));
}

/* ---- heads ----------------------------------------------------------------------------------- */

/** Splits off the text up to `end`. @return false when it is not there */
static bool take_to(struct cyc_span *text, char end, struct cyc_span *ret_part)
{
    char *at = text->len > 0 ? memchr(text->ptr, end, text->len) : NULL;
    if (at == NULL)
        return false;
    *ret_part = cyc_span_of(text->ptr, (size_t)(at - text->ptr));
    text->len -= ret_part->len + 1;
    text->ptr = at + 1;
    return true;
}

static const char *start_line_read(struct sim_wire *wire, struct cyc_span line)
{
    struct cyc_span version, code;

    if (wire->is_response) {
        if (!take_to(&line, ' ', &version) || !take_to(&line, ' ', &code))
            return "malformed status line";
        uint64_t status = number_of(code);
        if (status < 100 || status > 599 || code.len != 3)
            return "malformed status";
        wire->status = (uint32_t)status;
    } else {
        if (!take_to(&line, ' ', &wire->method) || !take_to(&line, ' ', &wire->target))
            return "malformed request line";
        version = line;
    }
    if (version.len != 8 || memcmp(version.ptr, "HTTP/1.1", 8) != 0)
        return "the gateway speaks 1.1";
    wire->version_minor = 1;
    return NULL;
}

static const char *field_read(struct sim_wire *wire, struct cyc_span line)
{
    struct cyc_span name;

    if (wire->field_count == CYC_SIM_FIELD_COUNT_MAX)
        return "too many fields";
    if (!take_to(&line, ':', &name) || name.len == 0)
        return "a line without a name";
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] >= 0x7f)
            return "a name with spaces or controls";
    if (line.len == 0 || line.ptr[0] != ' ')
        return "no space after the colon";
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.ptr[i] < ' ')
            return "a control character in a value";
    wire->fields[wire->field_count++] =
        (struct sim_field){name, cyc_span_of(line.ptr + 1, line.len - 1)};
    return NULL;
}

/** @param has_start  the first line is a start line */
static const char *lines_read(struct sim_wire *wire, bool has_start)
{
    struct cyc_span rest = cyc_span_of(wire->text, wire->text_len), line;

    wire->field_count = 0;
    while (take_to(&rest, '\n', &line)) {
        if (line.len == 0 || line.ptr[line.len - 1] != '\r')
            return "a line that ends in a bare LF";
        line.len--;
        if (memchr(line.ptr, '\r', line.len) != NULL)
            return "a bare CR";
        if (line.len == 0)
            return has_start ? "an empty line before the head" : NULL;
        const char *problem = has_start ? start_line_read(wire, line) : field_read(wire, line);
        if (problem != NULL)
            return problem;
        has_start = false;
    }
    return "a head without an end";
}

static bool has_no_body(const struct sim_wire *wire)
{
    return wire->is_response && (wire->is_head_request || wire->status < 200 ||
                                 wire->status == 204 || wire->status == 304);
}

static const char *framing_read(struct sim_wire *wire)
{
    struct cyc_span length = cyc_sim_wire_find(wire, "Content-Length");
    struct cyc_span coding = cyc_sim_wire_find(wire, "Transfer-Encoding");
    struct cyc_span connection = cyc_sim_wire_find(wire, "Connection");

    wire->is_close = name_is(connection, "close");
    wire->framing = SIM_FRAMING_NONE;
    wire->length_bytes = 0;
    if (length.ptr != NULL && coding.ptr != NULL)
        return "both Content-Length and Transfer-Encoding";
    if (coding.ptr != NULL) {
        if (!name_is(coding, "chunked"))
            return "an unknown Transfer-Encoding";
        wire->framing = SIM_FRAMING_CHUNKED;
    } else if (length.ptr != NULL) {
        wire->framing = SIM_FRAMING_LENGTH;
        wire->length_bytes = number_of(length);
        if (wire->length_bytes == UINT64_MAX)
            return "a malformed Content-Length";
    } else if (wire->is_response && !has_no_body(wire)) {
        wire->framing = SIM_FRAMING_UNTIL_CLOSE;
    }
    return NULL;
}

static enum wire_state body_state(struct sim_wire *wire)
{
    if (has_no_body(wire))
        return wire->status == 101 ? WIRE_UNTIL_CLOSE : WIRE_END_DUE;
    switch (wire->framing) {
    case SIM_FRAMING_CHUNKED:
        return WIRE_CHUNK_LINE;
    case SIM_FRAMING_LENGTH:
        wire->left_bytes = wire->length_bytes;
        return wire->left_bytes > 0 ? WIRE_BODY : WIRE_END_DUE;
    case SIM_FRAMING_UNTIL_CLOSE:
        return WIRE_UNTIL_CLOSE;
    case SIM_FRAMING_NONE:
        break;
    }
    return WIRE_END_DUE;
}

/** Takes bytes up to an empty line. @return false: more is needed, or wire->problem */
static bool text_take(struct sim_wire *wire, struct cyc_span *in)
{
    while (in->len > 0) {
        if (wire->text_len == sizeof(wire->text)) {
            wire->problem = "a head without an end";
            return false;
        }
        char c = in->ptr[0];
        in->ptr++;
        in->len--;
        wire->text[wire->text_len++] = c;
        const char *end = wire->text + wire->text_len;
        if (c == '\n' && (wire->text_len == 2 || (wire->text_len >= 4 && end[-3] == '\n')) &&
            end[-2] == '\r')
            return true;
    }
    return false;
}

static enum sim_wire_event head_next(struct sim_wire *wire, struct cyc_span *in)
{
    if (!text_take(wire, in))
        return wire->problem != NULL ? broken(wire, wire->problem) : SIM_WIRE_MORE;
    const char *problem = lines_read(wire, true);
    if (problem == NULL)
        problem = framing_read(wire);
    wire->text_len = 0;
    if (problem != NULL)
        return broken(wire, problem);
    wire->state = body_state(wire);
    if (wire->is_response && wire->status < 200 && wire->status != 101)
        wire->state = WIRE_HEAD;
    return SIM_WIRE_HEAD;
}

/* ---- bodies ---------------------------------------------------------------------------------- */

static enum sim_wire_event piece_next(struct sim_wire *wire, struct cyc_span *in)
{
    size_t len = in->len;
    bool is_counted = wire->state != WIRE_UNTIL_CLOSE;

    if (is_counted && wire->left_bytes < len)
        len = (size_t)wire->left_bytes;
    wire->piece = cyc_span_of(in->ptr, len);
    in->ptr += len;
    in->len -= len;
    if (!is_counted)
        return SIM_WIRE_BODY;
    wire->left_bytes -= len;
    if (wire->left_bytes == 0)
        wire->state = wire->state == WIRE_CHUNK ? WIRE_CHUNK_END : WIRE_END_DUE;
    return SIM_WIRE_BODY;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static const char *chunk_line_read(struct sim_wire *wire)
{
    uint64_t size = 0;
    uint32_t digits = wire->text_len - 2;

    if (wire->text_len < 3 || digits > 15 || wire->text[wire->text_len - 2] != '\r')
        return "a malformed chunk size";
    for (uint32_t i = 0; i < digits; i++) {
        int digit = hex_digit(wire->text[i]);
        if (digit < 0)
            return "a malformed chunk size";
        size = size << 4 | (uint64_t)digit;
    }
    wire->left_bytes = size;
    wire->state = size > 0 ? WIRE_CHUNK : WIRE_TRAILERS;
    return NULL;
}

static enum sim_wire_event chunk_line_next(struct sim_wire *wire, struct cyc_span *in)
{
    while (in->len > 0 && wire->text_len < 64) {
        char c = in->ptr[0];
        wire->text[wire->text_len++] = c;
        in->ptr++;
        in->len--;
        if (c != '\n')
            continue;
        if (wire->state == WIRE_CHUNK_LINE)
            wire->problem = chunk_line_read(wire);
        else if (wire->text_len != 2 || wire->text[0] != '\r')
            wire->problem = "no CRLF behind a chunk";
        else
            wire->state = WIRE_CHUNK_LINE;
        wire->text_len = 0;
        return wire->problem != NULL ? broken(wire, wire->problem) : SIM_WIRE_MORE;
    }
    return wire->text_len == 64 ? broken(wire, "a long chunk line") : SIM_WIRE_MORE;
}

static enum sim_wire_event trailers_next(struct sim_wire *wire, struct cyc_span *in)
{
    if (!text_take(wire, in))
        return wire->problem != NULL ? broken(wire, wire->problem) : SIM_WIRE_MORE;
    const char *problem = lines_read(wire, false);
    wire->text_len = 0;
    if (problem != NULL)
        return broken(wire, problem);
    wire->state = WIRE_HEAD;
    return SIM_WIRE_END;
}

enum sim_wire_event cyc_sim_wire_next(struct sim_wire *wire, struct cyc_span *in)
{
    enum sim_wire_event event = SIM_WIRE_MORE;

    if (wire->state == WIRE_END_DUE) {
        wire->state = WIRE_HEAD;
        return SIM_WIRE_END;
    }
    while (in->len > 0 && event == SIM_WIRE_MORE) {
        switch ((enum wire_state)wire->state) {
        case WIRE_HEAD:
            event = head_next(wire, in);
            break;
        case WIRE_BODY:
        case WIRE_CHUNK:
        case WIRE_UNTIL_CLOSE:
            event = piece_next(wire, in);
            break;
        case WIRE_CHUNK_LINE:
        case WIRE_CHUNK_END:
            event = chunk_line_next(wire, in);
            break;
        case WIRE_TRAILERS:
            event = trailers_next(wire, in);
            break;
        case WIRE_END_DUE:
        case WIRE_BROKEN:
            return SIM_WIRE_BAD;
        }
    }
    return event;
}
