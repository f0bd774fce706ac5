# SPDX-License-Identifier: Apache-2.0
"""What outlives a run: one that was interrupted or killed is resumed, runs of a cycle together find
what a whole sweep would, and a paused run sends nothing."""
import os
import re
import signal
import sys
import time
import unittest

sys.dont_write_bytecode = True
from harness import World, kill, wait_until  # noqa: E402
from sweepcase import ALLOWED, WINDOW, Sweep  # noqa: E402

TCP = ("--only", "tcp_syn")


class Lasting(Sweep):
    protos = ("tcp",)

    def journals(self):
        folder = os.path.join(self.lab.dir, "home", "segproof", "runs")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def journal_size(self):
        folder = os.path.join(self.lab.dir, "home", "segproof", "runs")
        return sum(os.path.getsize(os.path.join(folder, name)) for name in self.journals())

    def go(self, topology, *options, depth="exhaustive", **how):
        return self.world.start(topology, *options, depth=depth, **how)


def sides(case, limits):
    """A window between two hosts here and two there, so that there are two rounds."""
    return case.topology(limits=limits, source="[a, e]", target="[b, d]")


class Resume(Lasting):
    """A run over several rounds ends after the first; another one goes on."""

    SELECT = ("--from", "a,e", "--to", "b,d", *TCP)

    def begin(self):
        """The run, once it has written the first finished sweeps down."""
        running = self.go(sides(self, "max_rate: 400"), *self.SELECT)
        self.assertTrue(wait_until(lambda: self.journals() or running.child.poll() is not None, 20))
        size = self.journal_size()
        self.assertTrue(wait_until(lambda: self.journal_size() > size
                                   or running.child.poll() is not None, 60))
        self.assertIsNone(running.child.poll(), "it was over too soon: " + "".join(running.lines))
        return running

    def resume(self, run_id, *options, limits="max_rate: 400"):
        return self.go(sides(self, limits), "--resume", run_id, *options, depth=None).finish(120)

    def check_resumed(self, run, run_id):
        self.assertEqual(run.code, 0, run.err + run.out)
        self.assertEqual(run.data["run"]["id"], run_id)
        sweeps = run.data["sweeps"]
        self.assertEqual(len(sweeps), 8)
        taken = [sweep for sweep in sweeps if sweep["resumed"]]
        self.assertTrue(0 < len(taken) < 8, sweeps)
        for source in "ae":
            for target in "bd":
                self.exactly_all(run, source=source, target=target)
        self.assertEqual(self.journals(), [])

    def test_after_an_interrupt(self):
        running = self.begin()
        os.kill(running.child.pid, signal.SIGINT)
        run = running.finish()
        self.assertEqual(run.code, 130, run.err)
        told = re.search(r"(\d+) of 8 sweeps are finished; to go on from there: segproof verify "
                         r"\S+ --resume ([0-9a-f]{16})\n", run.err)
        self.assertTrue(told, run.err)
        self.assertTrue(0 < int(told[1]) < 8, run.err)
        self.assertEqual(self.journals(), [told[2] + ".journal"])
        self.check_resumed(self.resume(told[2]), told[2])

    def test_after_the_controller_was_killed(self):
        running = self.begin()
        kill([running.child.pid])
        running.finish()
        self.assertEqual(len(self.journals()), 1)
        self.go_on()

    def go_on(self):
        run_id = self.journals()[0][:16]
        self.check_resumed(self.resume(run_id), run_id)

    def test_what_was_found_before_is_in_the_report(self):
        """A hole that is closed before the run goes on was open when it was measured."""
        self.closed(holes={2100})
        running = self.begin()
        os.kill(running.child.pid, signal.SIGINT)
        running.finish()
        self.closed()
        run_id = self.journals()[0][:16]
        run = self.resume(run_id)
        self.assertEqual(run.code, 1, run.err + run.out)
        leaks = {(f["from"], f["to"], f["family"]) for f in run.data["findings"]}
        taken = {(s["from"], s["to"], s["family"]) for s in run.data["sweeps"] if s["resumed"]}
        self.assertEqual(leaks, taken)
        self.assertTrue(all(f["ports"] == "2100" for f in run.data["findings"]))

    def test_what_is_refused(self):
        running = self.begin()
        os.kill(running.child.pid, signal.SIGINT)
        running.finish()
        run_id = self.journals()[0][:16]
        for options, words in ((("--from", "a"), "leave --from out"),
                               (("--depth", "exhaustive"), "leave --depth out"),
                               (("--seed", "5"), "leave --seed out")):
            run = self.resume(run_id, *options)
            self.assertEqual(run.code, 2, run.err)
            self.assertIn(words, run.err)
        run = self.resume(run_id, limits="max_rate: 401")
        self.assertEqual(run.code, 2, run.err)
        self.assertIn("the topology is not the one", run.err)
        run = self.resume("0123456789abcdef")
        self.assertEqual(run.code, 2, run.err)
        self.assertIn(run_id, run.err)
        self.assertEqual(self.journals(), [run_id + ".journal"])
        self.go_on()
        run = self.resume(run_id)
        self.assertEqual(run.code, 2, run.err)
        self.assertIn("no such run can be resumed", run.err)


class Rolling(Lasting):
    PARTS = 3

    def once(self, *options):
        return self.go(self.topology(), "--from", "a", "--to", "b", *TCP, "--rolling",
                       str(self.PARTS), *options).finish()

    def test_a_cycle_finds_each_hole(self):
        """The part that a hole is in finds it; a point that standard depth asks anew in every run may
        find it in another one too."""
        holes = {2005, 2099, 2150, 2222, 2333, 2398}
        self.closed(holes=holes)
        found = []
        for number in range(1, self.PARTS + 1):
            run = self.once()
            self.assertEqual(run.data["run"]["depth"], "exhaustive")
            rolling = run.data["coverage"]["rolling"]
            self.assertEqual((rolling["parts"], rolling["part"]), (self.PARTS, number), run.err)
            self.assertEqual(rolling["to_cover"], self.PARTS - number)
            self.assertEqual(rolling["complete"], number == self.PARTS)
            self.assertEqual(rolling["covered"] == 1, number == self.PARTS)
            self.assertIn(f"part {number} of {self.PARTS}", run.out)
            for family in ("ipv4", "ipv6"):
                found.append(self.leaks(run, family))
        for family in range(2):
            parts = found[family::2]
            self.assertEqual(set().union(*parts), holes)

    @staticmethod
    def leaks(run, family):
        ports = set()
        for finding in run.data["findings"]:
            if finding["verdict"] == "leak" and finding["family"] == family:
                for part in finding["ports"].split(","):
                    lo, _, hi = part.partition("-")
                    ports |= set(range(int(lo), int(hi or lo) + 1))
        return ports

    def test_options_that_contradict_it(self):
        for options, words in ((("--depth", "standard"), "leave --depth standard out"),
                               (("--rolling", "1"), "--rolling"), (("--rolling", "366"), "--rolling")):
            run = self.go(self.topology(), *(("--rolling", "3") if "--depth" in options else ()),
                          *options, depth=None).finish()
            self.assertEqual(run.code, 2, run.err)
            self.assertIn(words, run.err)


class Pause(Lasting):
    def test_a_paused_run_sends_nothing(self):
        running = self.go(self.topology(limits="max_rate: 400"), "--from", "a", "--to", "b", *TCP)
        before = self.swept()
        self.assertTrue(wait_until(lambda: self.swept() - before > 200, 30))
        os.kill(running.child.pid, signal.SIGUSR1)
        running.wait_for("paused")
        still = 0
        for _ in range(10):  # what was ordered already
            now, still = still, self.swept()
            if now == still:
                break
            time.sleep(1)
        self.assertGreater(still, before)
        time.sleep(2)
        self.assertEqual(self.swept(), still)
        self.assertIsNone(running.child.poll())
        os.kill(running.child.pid, signal.SIGUSR1)
        run = running.finish()
        self.assertEqual(run.code, 0, run.err + run.out)
        self.exactly_all(run)


if __name__ == "__main__":
    unittest.main()
