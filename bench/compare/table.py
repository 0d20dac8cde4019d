# SPDX-License-Identifier: Apache-2.0
"""Results as Markdown tables: medians over the rounds, ratios taken round by round."""
import statistics

FAILURES = ("connect", "closed", "status", "length", "content", "stuck")
raw = {}  # scenario -> {label: [result of each round]}


def errors_text(result):
    parts = [f"{result[name]} {name}" for name in FAILURES if result[name]]
    return ", ".join(parts) + f" of {result['requests']}"


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def ratio(rows, reference_rows):
    """Median of this candidate's CPU per request to the reference's in the same round."""
    pairs = list(zip(rows, reference_rows))
    return statistics.median(row["cpu_us"] / reference["cpu_us"] for row, reference in pairs)


def spread(rows):
    values = [row["cpu_us"] for row in rows]
    return (max(values) - min(values)) / statistics.median(values) / 2


def head(columns):
    return ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]


def throughput(name, what, results, references):
    raw[name] = results
    references = [label for label in references if label in results]
    lines = [f"## {name}: {what}", ""]
    columns = ["", "CPU us/req", "+-"] + [f"to {label}" for label in references]
    lines += head(columns + ["user", "req/s", "proxy core", "load core", "p50 us", "p99 us", "errors"])
    for label, rows in results.items():
        cells = [label, f"{median(rows, 'cpu_us'):.2f}", f"{spread(rows):.0%}"]
        cells += [f"{ratio(rows, results[reference]):.2f}" for reference in references]
        cells += [f"{median(rows, 'user_share'):.0%}", f"{median(rows, 'rate'):.0f}",
                  f"{median(rows, 'proxy_busy'):.0%}", f"{median(rows, 'load_busy'):.0%}",
                  f"{median(rows, 'p50_us'):.0f}", f"{median(rows, 'p99_us'):.0f}",
                  str(sum(row["errors"] for row in rows))]
        lines.append("| " + " | ".join(cells) + " |")
    limited = [label for label, rows in results.items()
               if median(rows, "proxy_busy") < 0.95 and median(rows, "load_busy") > 0.97]
    if limited:
        lines += ["", f"The load core was the limit for {', '.join(limited)}: req/s could be higher."]
    return lines + [""]


def latency(name, what, results):
    raw[name] = results
    lines = [f"## {name}: {what}", ""]
    lines += head(["", "p50 us", "p99 us", "p99.9 us", "CPU us/req", "proxy core", "sent late at most us", "errors"])
    for label, rows in results.items():
        cells = [label] + [f"{median(rows, key):.0f}" for key in ("p50_us", "p99_us", "p999_us")]
        cells += [f"{median(rows, 'cpu_us'):.2f}", f"{median(rows, 'proxy_busy'):.0%}",
                  f"{median(rows, 'late_max_us'):.0f}", str(sum(row["errors"] for row in rows))]
        lines.append("| " + " | ".join(cells) + " |")
    return lines + [""]


def idle(name, what, rows):
    raw[name] = rows
    lines = [f"## {name}: {what}", ""]
    lines += head(["", "RSS before MiB", "RSS with them MiB", "RSS bytes each", "own memory bytes each", "held"])
    for label, (before, after, held) in rows.items():
        cells = [label, f"{before[0] / 2**20:.1f}", f"{after[0] / 2**20:.1f}",
                 f"{(after[0] - before[0]) / held:.0f}", f"{(after[1] - before[1]) / held:.0f}", str(held)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines + [""]


def start(name, what, rows):
    raw[name] = rows
    lines = [f"## {name}: {what}", ""]
    lines += head(["", "first answer ms", "RSS MiB", "own memory MiB"])
    for label, results in rows.items():
        first, resident, own = (statistics.median(column) for column in zip(*results))
        lines.append(f"| {label} | {first * 1e3:.1f} | {resident / 2**20:.1f} | {own / 2**20:.1f} |")
    return lines + [""]
