#!/usr/bin/env python3
"""Tests of bench_gpu.py with programs that only pretend: a device is not needed. tools/check runs them."""

import doctest
import gzip
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import compare

HERE = Path(__file__).resolve().parent

# Takes the precisions fp32 and bf16; FAKE names what goes wrong.
TEMPER = """#!%s
import json, os, sys, time
words, fake = sys.argv[1:], os.environ.get("FAKE", "")
if words[0] == "devices":
    if "nobody" in words:
        print("temper: error: --device nobody: no such device", file=sys.stderr)
        sys.exit(69)
    if "--json" not in words:
        print("opencl:0  Pretender")
        sys.exit()
    if "--require-gpu" in words and fake == "no GPU":
        sys.exit(69)
    print(json.dumps({"named": "opencl:0 Pretender", "opencl": [{
        "index": 0, "name": "Pretender", "kind": "gpu", "vendor": "V", "version": "OpenCL 3.0", "driver": "1",
        "compute_units": 2, "clock_mhz": 1, "global_memory_bytes": 1, "maximum_allocation_bytes": 1,
        "local_memory_bytes": 1, "maximum_work_group": 1, "platform": "P"}]}))
    sys.exit()
precision = words[words.index("--precision") + 1]
if precision == "tf32":
    print("temper: error: --precision tf32: no", file=sys.stderr)
    sys.exit(64)
if fake == "slow":
    time.sleep(1)
if words[0] == "verify":
    passed = fake != "verify"
    print(json.dumps({"device": "opencl:0 Pretender", "passed": passed, "tensors": [{"drift": 0.001}]}))
    sys.exit(0 if passed else 1)
if words[1] == "training":
    if fake == "training":
        print("temper: error: lost", file=sys.stderr)
        sys.exit(69)
    print(json.dumps({"images_per_second": 300}))
elif "matmul" in words:
    print(json.dumps({"operations": [{"name": "matmul 1024", "gflops": 75}]}))
else:
    print(json.dumps({"operations": [{"name": "relu", "gigabytes_per_second": 50, "share_of_bandwidth": 0.5}]}))
""" % sys.executable

PEER = """
import json, sys
print(json.dumps({"torch": "0", "build": "none", "cudnn": 0, "device": "Pretender"}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if request["program"] == "bench_training":
        answer = {"images_per_second": 200, "layout": "channels_last"}
    else:
        product = {"name": "matmul 1024", "gflops": 100, "what": "torch.mm"}
        answer = {"operations": [product] if "matmul" in request["arguments"] else []}
    print(json.dumps(answer), flush=True)
"""


class BenchGPU(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        scripts = self.folder / "reference"
        scripts.mkdir()
        for name in ("bench_gpu.py", "gpu_programs.py", "compare.py"):
            shutil.copy(HERE / name, scripts)
        (scripts / "peer.py").write_text(PEER)
        (scripts / "torch.py").write_text("")
        (self.folder / "VERSION").write_text("0")
        with gzip.open(self.folder / "temper.gz", "wt") as file:
            file.write(TEMPER)

    def bench(self, *options, fake=""):
        """The exit code, the text and the results of a run."""
        environment = {**os.environ, "FAKE": fake, "TEMPER_PYTHON": sys.executable,
                       "PYTHONPATH": str(self.folder / "reference"), "OCL_ICD_VENDORS": "none"}
        command = [sys.executable, self.folder / "reference" / "bench_gpu.py", "--rounds", "2",
                   "--out", self.folder / "out", *options]
        result = subprocess.run(command, capture_output=True, text=True, env=environment)
        file = self.folder / "out" / "results.json"
        results = json.loads(file.read_text()) if file.exists() else None
        return result.returncode, result.stdout + result.stderr, results

    def test_everything_is_compared(self):
        code, text, results = self.bench()
        self.assertEqual(code, 0, text)
        self.assertIn("Temper tf32: not available on opencl:0 Pretender (--precision tf32: no)", text)
        rows = {(row["precision"], row["name"]): row for row in results["results"]}
        self.assertEqual(rows["fp32", "matmul 1024"]["ratio"], 0.75)
        self.assertEqual(rows["bf16", "resnet18 PGD-10, batch 128"]["ratio"], 1.5)
        self.assertEqual(len(rows["bf16", "matmul 1024"]["rounds"]), 2)
        self.assertEqual((rows["fp32", "relu"]["unit"], rows["fp32", "relu"]["pytorch"]), ("GB/s", None))
        self.assertEqual((rows["tf32", "matmul 1024"]["temper"], len(rows["tf32", "matmul 1024"]["rounds"])), (None, 1))
        self.assertEqual(text.count("0.75 (0.75 to 0.75)"), 2)

    def test_failures_are_told_at_the_end(self):
        for fake, message in (("verify", "verify is beyond its tolerance"), ("training", "lost (exit code 69)")):
            code, text, results = self.bench("--precision", "fp32", fake=fake)
            self.assertEqual(code, 1, text)
            self.assertIn(message, text)
            self.assertIn("matmul 1024", [row["name"] for row in results["results"]])

    def test_what_time_was_too_short_for_is_named(self):
        code, text, results = self.bench("--minutes", "0.05", "--precision", "fp32", fake="slow")
        self.assertEqual(code, 1, text)
        self.assertIn("fp32, resnet18 standard, batch 128, shipped settings", results["not_measured"])

    def test_exit_codes_of_wrong_surroundings(self):
        self.assertEqual(self.bench("--seconds", "0")[0], 64)
        self.assertEqual(self.bench("--precision", "fp8")[0], 64)
        code, text, _ = self.bench(fake="no GPU")
        self.assertEqual(code, 69)
        self.assertIn("no OpenCL GPU is here. --device NAME measures another device:\nopencl:0  Pretender", text)
        self.assertEqual(self.bench("--device", "pretender", "--precision", "fp32", fake="no GPU")[0], 0)
        code, text, _ = self.bench("--device", "nobody")
        self.assertEqual((code, text.splitlines()[-1]), (69, "error: --device nobody: no such device"))
        self.assertEqual(self.bench("--out", str(self.folder / "VERSION" / "x"))[0], 74)
        (self.folder / "temper.gz").unlink()
        self.assertEqual(self.bench()[0], 66)


def load_tests(loader, tests, ignore):
    tests.addTests(doctest.DocTestSuite(compare))
    return tests


if __name__ == "__main__":
    unittest.main()
