# SPDX-License-Identifier: Apache-2.0
"""Waiting for something to become true, with a deadline and a sentence."""
import time

STEP_S = 0.01


def wait_for(is_true, what, timeout_s=10.0):
    """Returns the first true value; raises AssertionError naming `what` at the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = is_true()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s} s for {what}")
        time.sleep(STEP_S)


def equal(got, wanted, what):
    """An assertion that says both sides (large values are cut)."""
    if got != wanted:
        raise AssertionError(f"{what}: got {_short(got)}, wanted {_short(wanted)}")


def _short(value):
    text = repr(value)
    return text if len(text) <= 600 else f"{text[:400]}... ({len(text)} characters)"
