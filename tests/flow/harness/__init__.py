# SPDX-License-Identifier: Apache-2.0
"""What the flows are written with: one gateway process per test, and the two sides of it."""
