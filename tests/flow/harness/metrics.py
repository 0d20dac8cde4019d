# SPDX-License-Identifier: Apache-2.0
"""Prometheus text, read strictly enough to notice a line that is not."""
import re

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(,|$)')


class Metrics:
    def __init__(self, text):
        self.text = text
        self.samples = []  # (name, {label: value}, number)
        self.types = {}
        for line in text.split("\n"):
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types, f"two TYPE lines for {name}"
                self.types[name] = kind
            elif line and not line.startswith("#"):
                self.samples.append(self._sample(line))

    @staticmethod
    def _sample(line):
        match = SAMPLE.match(line)
        assert match, f"not a sample: {line!r}"
        name, text, number = match.groups()
        labels, at = {}, 0
        while text and at < len(text):
            label = LABEL.match(text, at)
            assert label, f"not labels: {line!r}"
            assert label.group(1) not in labels, f"label twice: {line!r}"
            labels[label.group(1)] = label.group(2)
            at = label.end()
        return name, labels, float(number)

    def has(self, name, **labels):
        return bool(self._find(name, labels))

    def _find(self, name, labels):
        return [number for n, have, number in self.samples
                if n == name and all(have.get(k) == v for k, v in labels.items())]

    def value(self, name, **labels):
        """The sum of all series of `name` that have these labels; 0 without any."""
        return sum(self._find(name, labels))
