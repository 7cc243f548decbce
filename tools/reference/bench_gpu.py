#!/usr/bin/env python3
"""Measures Temper and, if it finds one, PyTorch on one GPU, in turn, and prints medians and ratios.

    run [--device auto] [--precision fp32 tf32 bf16] [--seconds 2] [--rounds 3] [--minutes 8] [--batch-size 128]
        [--filter TEXT ...] [--tune [SECONDS]] [--peer-device cuda|cpu|none] [--out runs/bench-gpu]

This is what `run` in a folder packed by `tools/bench-gpu pack` starts; it needs Python 3.9 and no Swift. After `temper
verify`, each round measures everything once, PyTorch and Temper one after the other, until rounds or minutes are
over. Whole steps take --seconds each, operations a twentieth of it. PyTorch runs with the interpreter in TEMPER_PYTHON,
or the first of the usual ones that has it. --tune measures once more after `temper tune --quick`.

The folder --out gets results.txt and results.json after every measurement, and log.txt: all messages. Exit code 0: all
was measured; 1: `verify` or a measurement failed, or time was short; 64: wrong usage; 66: the binary is missing; 69: no
OpenCL GPU (--device takes another device); 74: --out cannot be written; 75: stopped.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from compare import HEAD, STEPS, line, row
from gpu_programs import Failure, OutOfTime, Peer, Refused, Temper

PRODUCTS = ["1024", "2048", "4096"]
# Parts of the operations, each a run of its own, so that a kernel that fails takes no others along.
GROUPS = {
    "products": ["matmul"], "convolutions": ["conv"],
    "elementwise": ["add", "relu", "max pool", "PGD step", "batch norm"]}
# Rounded operands move the weights, by 0.2 of what training changes with bf16; wrong kernels are far above 0.5.
TOLERANCE = {"fp32": "0.02", "tf32": "0.5", "bf16": "0.5"}


class Results:
    """All that is known so far; `save` writes it."""

    def __init__(self, folder, facts, warnings):
        self.folder, self.facts, self.warnings = folder, facts, warnings
        self.verified, self.tuned, self.series = [], [], {}
        self.unavailable, self.failures, self.missing = {}, {}, []

    def add(self, group, name, unit, what, pytorch, temper):
        """One round of one measurement; a side that was not measured is None."""
        series = self.series.setdefault((*group, name), {"unit": unit, "rounds": []})
        series["what"] = what
        series["rounds"].append({"pytorch": pytorch, "temper": temper})

    def rows(self):
        for (settings, precision, name), series in self.series.items():
            both = [(r["pytorch"], r["temper"]) for r in series["rounds"]]
            sides = ([value for value in side if value is not None] for side in zip(*both))
            ratios = [temper / pytorch for pytorch, temper in both if pytorch and temper]
            yield {"settings": settings, "precision": precision,
                   **row(name, series["unit"], series["what"], *sides, ratios), "rounds": series["rounds"]}

    def text(self):
        lines = list(self.facts["text"])
        for entry in self.verified:
            outcome = "passed" if entry["passed"] else "FAILED"
            lines.append(f"verify {entry['precision']}: {outcome}, largest drift {entry['largest_drift']:.1e}, "
                         f"tolerance {entry['tolerance']}, {entry['seconds']:.1f} s")
        lines += [*self.warnings, *(f"{label}: {reason}" for label, reason in self.unavailable.items())]
        lines += [f"tune {entry['precision']}: {entry['faster']} of {len(entry['report']['cases'])} shapes run faster "
                  "than with the shipped settings" for entry in self.tuned]
        group = None
        for result in self.rows():
            if group != (result["settings"], result["precision"]):
                group = (result["settings"], result["precision"])
                lines += ["", f"{group[1]}, {group[0]} settings", HEAD]
            lines.append(line(result))
        lines += ["", *(f"FAILED: {label}: {reason}" for label, reason in self.failures.items()),
                  *(f"NOT MEASURED, the minutes are over: {label}" for label in self.missing)]
        return "\n".join(lines).rstrip() + "\n"

    def save(self):
        self.write("results.txt", self.text())
        content = {key: value for key, value in self.facts.items() if key != "text"}
        content.update(
            warnings=list(self.warnings), verify=self.verified, not_available=self.unavailable, tune=self.tuned,
            results=list(self.rows()), failures=self.failures, not_measured=self.missing)
        self.write("results.json", json.dumps(content, indent=1, default=str))

    def write(self, name, text):
        """Replaces the file as a whole, so that a run that is stopped leaves the last complete one."""
        temporary = self.folder / f".{name}"
        temporary.write_text(text)
        temporary.replace(self.folder / name)


class Bench:
    """The measurements, in order, within the minutes."""

    def __init__(self, arguments, temper, peer, results, start):
        self.arguments, self.temper, self.peer, self.results = arguments, temper, peer, results
        self.start, self.deadline = start, start + 60 * arguments.minutes

    def remaining(self):
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            raise OutOfTime
        return seconds

    def progress(self, text):
        print(f"[{time.monotonic() - self.start:4.0f} s] {text}", file=sys.stderr, flush=True)

    def attempt(self, side, precision, what, work):
        """The result of `work`, or None: if it fails, has failed before, or the precision is not available."""
        label = f"{side} {precision}"
        if label in self.results.unavailable or f"{label}, {what}" in self.results.failures:
            return None
        try:
            return work()
        except Refused as refusal:
            device = self.peer.about["device"] if side == "PyTorch" else self.results.facts["device"]
            self.results.unavailable[label] = f"not available on {device} ({refusal})"
        except Failure as failure:
            self.results.failures[f"{label}, {what}"] = f"{failure} (exit code {failure.code})"

    def both(self, precision, what, program, command, options, own=(), peers=()):
        """The reports of PyTorch and Temper, measured in this order."""
        pytorch = None
        if self.peer.is_present:
            pytorch = self.attempt("PyTorch", precision, what, lambda: self.peer.report(
                program, precision, [*options, *peers], self.remaining()))
        return pytorch, self.attempt("Temper", precision, what, lambda: self.temper.report(
            command, precision, [*options, *own], self.remaining())[1])

    def verify(self, precision):
        began, tolerance = time.monotonic(), TOLERANCE[precision]
        self.progress(f"verify, {precision}")
        outcome = self.attempt("Temper", precision, "verify", lambda: self.temper.report(
            "verify", precision, ["--tolerance", tolerance], self.remaining(), accepted=(0, 1)))
        if outcome:
            report = outcome[1]
            self.results.verified.append({
                "precision": precision, "passed": report["passed"], "tolerance": tolerance,
                "largest_drift": max(tensor["drift"] for tensor in report["tensors"]),
                "seconds": time.monotonic() - began, "report": report})
            if not report["passed"]:
                self.results.failures[f"Temper {precision}, verify is beyond its tolerance"] = report["device"]
        self.results.save()

    def operations(self, settings, precision, what, filters):
        options = ["--seconds", str(self.arguments.seconds / 20), "--products", *PRODUCTS]
        for text in filters:
            options += ["--filter", text]
        pytorch, temper = self.both(precision, what, "bench_operations", "bench operations", options)
        peers = {entry["name"]: entry for entry in (pytorch or {"operations": []})["operations"]
                 if entry["what"] != "OpenBLAS"}
        own = {entry["name"]: entry for entry in (temper or {"operations": []})["operations"]}
        for name in {**peers, **own}:
            unit, key = ("GFLOP/s", "gflops") if name in peers or "gflops" in own[name] else ("GB/s", "gigabytes_per_second")
            peer, mine = peers.get(name, {}), own.get(name, {})
            share = mine.get("share_of_bandwidth")
            what = peer.get("what", "" if share is None else f"{share:.0%} of a copy")
            self.results.add((settings, precision), name, unit, what, peer.get(key), mine.get(key))

    def step(self, settings, precision, name, options):
        known = self.results.series.get((settings, precision, name), {}).get("what")
        pytorch, temper = self.both(
            precision, name, "bench_training", "bench training", [*options, "--seconds", str(self.arguments.seconds)],
            peers=["--layout", known or "auto"])
        if pytorch or temper:
            self.results.add(
                (settings, precision), name, "images/s", pytorch["layout"] if pytorch else "",
                *(report and report["images_per_second"] for report in (pytorch, temper)))

    def jobs(self, settings):
        size = str(self.arguments.batch_size)
        for precision in self.arguments.precision:
            groups = {"operations": self.arguments.filter} if self.arguments.filter else GROUPS
            for what, filters in groups.items():
                if what != "elementwise" or precision == "fp32":
                    yield precision, f"{precision}, {what}", partial(self.operations, settings, precision, what, filters)
            for name, options in STEPS:
                name, options = f"{name}, batch {size}", [*options, "--batch-size", size]
                if not self.arguments.filter or any(text in name for text in self.arguments.filter):
                    yield precision, f"{precision}, {name}", partial(self.step, settings, precision, name, options)

    def rounds(self, settings, end):
        """Rounds until `end`; a job that would take longer than what is left is not begun again."""
        taken = {}
        for number in range(self.arguments.rounds):
            for precision, label, work in self.jobs(settings):
                if number > 0 and f"Temper {precision}" in self.results.unavailable:
                    continue  # PyTorch alone is measured once
                began = time.monotonic()
                if began + taken.get(label, 0) < end:
                    self.progress(f"{settings} settings, round {number + 1} of {self.arguments.rounds}: {label}")
                    try:
                        work()
                        taken[label] = time.monotonic() - began
                    except OutOfTime:
                        end = 0
                if label not in taken and number == 0:
                    self.results.missing.append(f"{label}, {settings} settings")
                self.results.save()

    def tune(self):
        available = [p for p in self.arguments.precision if f"Temper {p}" not in self.results.unavailable]
        for precision in available:
            seconds = min(self.arguments.tune, 0.25 * self.remaining() / len(available))
            self.progress(f"tune for {seconds:.0f} s, {precision}")
            outcome = self.attempt("Temper", precision, "tune", lambda: self.temper.report(
                "tune", precision, ["--quick", "--batch-size", str(self.arguments.batch_size), "--seconds", str(seconds)],
                self.remaining()))
            if outcome:
                faster = sum(case["milliseconds"] < case["shipped_milliseconds"] for case in outcome[1]["cases"])
                self.results.tuned.append({"precision": precision, "faster": faster, "report": outcome[1]})
        for file in self.temper.cache.glob("tuning-*.json"):
            shutil.copy(file, self.results.folder)

    def run(self):
        try:
            for precision in self.arguments.precision:
                self.verify(precision)
            if self.arguments.tune is None:
                self.rounds("shipped", self.deadline)
                return
            self.rounds("shipped", time.monotonic() + 0.45 * self.remaining())
            self.tune()
            self.rounds("tuned", self.deadline)
        except OutOfTime:
            self.results.missing.append("everything after this")


def output(command):
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=20)
        return result.stdout.strip().splitlines() if result.returncode == 0 else []
    except (OSError, subprocess.TimeoutExpired):
        return []


def processor():
    try:
        names = [text.split(":")[1].strip() for text in open("/proc/cpuinfo") if text.startswith("model name")]
        return f"{names[0]}, {len(os.sched_getaffinity(0))} threads"
    except (OSError, IndexError):
        return platform.processor()


def described(device):
    gibibytes = [f"{device[key] / 2**30:.1f} GiB" for key in ("global_memory_bytes", "maximum_allocation_bytes")]
    return (f"opencl:{device['index']} {device['name']}: {device['kind']}, {device['vendor']}, {device['version']}, driver "
            f"{device['driver']}, {device['compute_units']} compute units at {device['clock_mhz']} MHz, {gibibytes[0]} "
            f"({gibibytes[1]} at once), {device['local_memory_bytes'] >> 10} KiB local, work groups up to "
            f"{device['maximum_work_group']}, platform {device['platform']}")


def described_peer(about, device):
    if "absent" in about:
        return [f"PyTorch is not measured: {about['absent']}"]
    lines = [f"peer: PyTorch {about['torch']} ({about['build']}, cuDNN {about['cudnn']}) on {about['device']}"]
    if about["device"].lower() not in device.lower():
        lines.append("The names of the two devices differ: the ratios may compare different devices.")
    return lines


def facts(arguments, temper, packed):
    """What was measured on; ends the run where there is no GPU and no other device was asked for."""
    code, text, message = temper.run(["devices", *temper.device, "--json"], 60)
    if code == 69 and arguments.device == "auto":
        here = temper.run(["devices"], 60)[1].rstrip()
        raise Failure(69, "\n".join(["no OpenCL GPU is here. --device NAME measures another device:", here, *temper.notes]))
    if code != 0:
        raise Failure(code, message)
    found = json.loads(text)
    version = (packed / "VERSION").read_text().strip()
    smi = output(["nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit",
                  "--format=csv,noheader"])
    date = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    lines = [f"Temper {version}, {date}", f"host: {processor()}; Linux {platform.release()}, glibc {platform.libc_ver()[1]}"]
    lines += [described(device) for device in found["opencl"]] + [f"nvidia-smi: {text}" for text in smi] + temper.notes
    lines.append(f"measured: {found['named']}")
    return {"temper": version, "date": date, "command": sys.argv, "settings": vars(arguments), "host": processor(),
            "kernel": platform.release(), "nvidia_smi": smi, "devices": found["opencl"], "device": found["named"],
            "environment": temper.variables, "text": lines}


def measure(arguments, packed, scratch, start):
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
        log = open(arguments.out / "log.txt", "w")
    except OSError as error:
        raise Failure(74, f"--out {arguments.out}: {error.strerror}")
    temper = Temper(packed, scratch, arguments.device, log)
    known = facts(arguments, temper, packed)
    peer = Peer(arguments.peer_device, log)
    known.update(pytorch=peer.about, text=known["text"] + described_peer(peer.about, known["device"]))
    print("\n".join(known["text"]), file=sys.stderr, flush=True)
    results = Results(arguments.out, known, temper.warnings)
    bench, code = Bench(arguments, temper, peer, results, start), 0
    try:
        bench.run()
    except KeyboardInterrupt:
        code = 75
    finally:
        peer.close()
        temper.keep_build_logs()
    results.save()
    print(results.text() + f"\nresults.txt, results.json, log.txt: {arguments.out}")
    return code or (1 if results.failures or results.missing else 0)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Failure(64, f"{message}. --help lists the options.")


def parsed():
    parser = Parser(prog="run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", help="as `temper devices` names them")
    parser.add_argument("--precision", nargs="+", choices=list(TOLERANCE), default=list(TOLERANCE))
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--filter", nargs="+", default=[], help="only operations and steps whose name contains one of these")
    parser.add_argument("--tune", type=float, nargs="?", const=90, metavar="SECONDS", help="per precision; default 90")
    parser.add_argument("--peer-device", choices=["cuda", "cpu", "none"], default="cuda",
                        help="of PyTorch; cuda is ROCm too, cpu is for trying this program")
    parser.add_argument("--out", type=Path, default=Path("runs/bench-gpu"))
    arguments = parser.parse_args()
    for name in ("seconds", "rounds", "minutes", "batch_size", "tune"):
        value = getattr(arguments, name)
        if value is not None and not value > 0:
            parser.error(f"--{name.replace('_', '-')} is above 0, not {value}")
    return arguments


def main():
    start = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    packed = Path(__file__).resolve().parent.parent
    try:
        with tempfile.TemporaryDirectory(prefix="temper-gpu-") as scratch:
            sys.exit(measure(parsed(), packed, Path(scratch), start))
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        sys.exit(failure.code)
    except KeyboardInterrupt:
        sys.exit(75)


if __name__ == "__main__":
    main()
