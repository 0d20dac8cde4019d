/* SPDX-License-Identifier: Apache-2.0 */
/* conf/demo.yaml as it is in the program; a test keeps the two equal. */
#include "proxy/config.h"

static const char demo_yaml[] = "# What Cyclone runs when it finds no configuration: itself in "
                                "front of a built-in demo service.\n"
                                "# Your own starts with one line:  upstream: 127.0.0.1:3000\n"
                                "upstream: builtin:demo\n";

struct cyc_span cyc_config_demo(void)
{
    return cyc_span_of(demo_yaml, sizeof(demo_yaml) - 1);
}
