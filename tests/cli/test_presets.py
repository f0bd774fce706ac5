# SPDX-License-Identifier: Apache-2.0
"""What `segproof check` tells of presets: those there are, one of them, and every line of those that a
topology uses. Nothing here sends a packet."""
import json
import os
import re
import subprocess
import tempfile
import unittest

from terminal import SEGPROOF, environment

EXAMPLE = "topologies/examples/gloo-mesh.yaml"
FOLDER = "topologies/presets"


def run(*words):
    return subprocess.run([SEGPROOF, *words], capture_output=True, text=True, timeout=60,
                          env=environment(), check=False, stdin=subprocess.DEVNULL)


def names():
    return sorted(name[:-5] for name in os.listdir(FOLDER) if name.endswith(".yaml"))


class Listing(unittest.TestCase):
    def test_all_of_them(self):
        self.assertEqual(run("check", "--presets", "-q").stdout.split(), names())
        told = json.loads(run("check", "--presets", "--json").stdout)
        self.assertEqual([one["name"] for one in told], names())
        text = run("check", "--presets").stdout
        for one in told:
            self.assertIn(f"{one['name']}: {one['summary']}\n  {one['lines']} lines", text)
            self.assertTrue(one["roles"])

    def test_one_is_its_file(self):
        for name in names():
            told = run("check", "--preset", name)
            with open(f"{FOLDER}/{name}.yaml", encoding="utf-8") as file:
                self.assertEqual((told.returncode, told.stdout), (0, file.read()))

    def test_wrong_ones(self):
        for words, part in ((("--preset", "gloo-mehs"), "did you mean 'gloo-mesh'?"),
                            (("--preset", "x"), "--presets lists them"),
                            (("--preset",), "--preset"),
                            (("--presets", EXAMPLE), "--presets looks at no topology"),
                            (("--preset", "istio", EXAMPLE), "--preset looks at no topology")):
            done = run("check", *words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn(part, done.stderr)


class Explained(unittest.TestCase):
    """Text and JSON of the example say the same, and leave nothing out."""

    def setUp(self):
        self.text = run("check", EXAMPLE)
        self.told = json.loads(run("check", EXAMPLE, "--json").stdout)

    def test_every_line(self):
        self.assertEqual(self.text.returncode, 0, self.text.stderr)
        self.assertEqual([one["name"] for one in self.told["presets"]],
                         ["kubernetes", "istio", "istio-multicluster", "gloo-mesh",
                          "gloo-mesh-gateway", "istio-sidecar"])
        rules = 0
        for preset in self.told["presets"]:
            with open(f"{FOLDER}/{preset['name']}.yaml", encoding="utf-8") as file:
                in_file = re.findall(r"^  - name: (\S+)$", file.read(), re.MULTILINE)
            self.assertEqual([flow["name"] for flow in preset["flows"]], in_file)
            for flow in preset["flows"]:
                self.check_flow(flow)
                rules += flow["rules"]
        self.assertEqual(rules + 1, self.told["rules"])  # and one of its own
        self.assertEqual(self.told["roles"]["istiod"], ["east-1", "west-1"])
        self.assertEqual(self.told["roles"]["operators"], ["bastion"])

    def check_flow(self, flow):
        self.assertEqual(flow["covered"], flow["rules"] > 0)
        self.assertTrue(flow["why"] and flow["source"])
        ends = f"{', '.join(flow['from'])} -> {', '.join(flow['to'])} {','.join(flow['ports'])}"
        if flow["covered"]:
            self.assertIn(f"  {flow['expected']:6} {flow['name']}: {ends}", self.text.stdout)
            self.assertIn(f"\n         {flow['why']}\n         source: {flow['source']}\n",
                          self.text.stdout)
        else:
            self.assertIn(f"  not covered: {flow['name']}: {flow['reason']}\n", self.text.stdout)

    def test_quiet(self):
        self.assertEqual(run("check", EXAMPLE, "-q").stdout, "")

    def test_a_finding_to_be(self):
        """explain names the line and its document."""
        told = run("explain", EXAMPLE, "client-1", "mgmt-1", "tcp/6379")
        self.assertIn('deny "preset:gloo-mesh/redis-closed" (topologies/examples/gloo-mesh.yaml:',
                      told.stdout)
        self.assertIn("(source: Gloo Platform Helm values", told.stdout)
        told = json.loads(run("explain", EXAMPLE, "east-1", "mgmt-1", "tcp/9900", "--json").stdout)
        self.assertIn("docs.solo.io", json.dumps(told))

    def test_without_presets(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            with open("topologies/examples/minimal.yaml", encoding="utf-8") as minimal:
                file.write(minimal.read())
            file.flush()
            self.assertNotIn("Preset", run("check", file.name).stdout)
            self.assertNotIn("presets", json.loads(run("check", file.name, "--json").stdout))


if __name__ == "__main__":
    unittest.main()
