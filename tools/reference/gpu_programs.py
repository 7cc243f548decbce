"""The two programs that tools/bench-gpu measures: Temper with what it needs to find OpenCL, and PyTorch."""

import ctypes
import gzip
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NVIDIA_DRIVER = "libnvidia-opencl.so.1"
DRIVER_FOLDERS = [
    "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib",
    "/usr/lib/wsl/lib", "/run/opengl-driver/lib"]


class Failure(Exception):
    """An end of the run, with its exit code."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class OutOfTime(Exception):
    """The minutes are over."""


class Refused(Exception):
    """The device does not have the precision asked for."""


def opens(library):
    try:
        ctypes.CDLL(str(library))
        return True
    except OSError:
        return False


def opencl_environment(packed, scratch):
    """What Temper needs to find OpenCL: the packed loader where there is none, NVIDIA's driver where no file names it."""
    environment, notes = {}, []
    loader = packed / "libOpenCL.so.1"
    if not opens(loader.name):
        environment["TEMPER_LIBOPENCL"] = str(loader)
    system = Path("/etc/OpenCL/vendors")
    named = any("nvidia" in file.read_text(errors="replace") for file in system.glob("*.icd"))
    if not named and not os.environ.get("OCL_ICD_VENDORS"):
        folder = next((f for f in DRIVER_FOLDERS if (Path(f) / NVIDIA_DRIVER).exists()), None)
        if folder or opens(NVIDIA_DRIVER):
            vendors = scratch / "vendors"
            vendors.mkdir()
            for file in system.glob("*.icd"):
                shutil.copy(file, vendors)
            (vendors / "nvidia.icd").write_text(f"{folder}/{NVIDIA_DRIVER}\n" if folder else f"{NVIDIA_DRIVER}\n")
            # Only newer loaders know the variable: ours does.
            environment.update(OCL_ICD_VENDORS=str(vendors), TEMPER_LIBOPENCL=str(loader))
            if folder:  # the driver opens other libraries of its folder
                old = os.environ.get("LD_LIBRARY_PATH")
                environment["LD_LIBRARY_PATH"] = f"{old}:{folder}" if old else folder
        elif shutil.which("nvidia-smi"):
            notes.append(f"nvidia-smi is here, but {NVIDIA_DRIVER} is not. It comes with the driver; containers need "
                         "NVIDIA_DRIVER_CAPABILITIES=compute,utility.")
    return environment, notes


class Temper:
    """The packed program on one device."""

    def __init__(self, packed, scratch, device, log):
        archive = packed / "temper.gz"
        if not archive.exists():
            raise Failure(66, f"{archive} is missing. Make the folder with tools/bench-gpu pack.")
        self.path, self.log = scratch / "temper", log
        with gzip.open(archive) as source, open(self.path, "wb") as target:
            shutil.copyfileobj(source, target)
        self.path.chmod(0o755)
        self.warnings = {}  # of kernels that are not used, say; a dictionary for its order
        variables, self.notes = opencl_environment(packed, scratch)
        self.cache = scratch / "cache"  # of its own: nothing compiled or tuned before takes part
        self.variables = {**variables, "TEMPER_CACHE_DIR": str(self.cache)}
        self.device = ["--device", device, *(["--require-gpu"] if device == "auto" else [])]

    def run(self, arguments, timeout):
        """The exit code, what it printed, and its last message."""
        with tempfile.TemporaryFile("w+") as messages:
            try:
                result = subprocess.run(
                    [self.path, *arguments], stdout=subprocess.PIPE, stderr=messages, text=True, timeout=timeout,
                    env={**os.environ, **self.variables})
            except subprocess.TimeoutExpired:
                raise OutOfTime
            except OSError as error:
                raise Failure(70, f"temper does not start: {error}")
            finally:
                messages.seek(0)
                said = messages.read()
                self.log.write(f"$ temper {' '.join(arguments)}\n{said}")
                self.log.flush()
        self.warnings.update((text, None) for text in said.splitlines() if text.startswith("warning: "))
        errors = [text for text in said.splitlines() if re.match("(temper: )?error: ", text, re.IGNORECASE)]
        message = (errors or said.splitlines()[-1:] or ["no message"])[0]
        return result.returncode, result.stdout, re.sub("^(temper: )?error: ", "", message, flags=re.IGNORECASE)

    def report(self, command, precision, options, timeout, accepted=(0,)):
        """The exit code and the JSON object of a command on the device."""
        code, output, message = self.run(
            [*command.split(), *self.device, "--precision", precision, *options, "--json"], timeout)
        if code == 64 and precision != "fp32":
            raise Refused(message)
        if code not in accepted:
            raise Failure(code, message)
        return code, json.loads(output)

    def keep_build_logs(self):
        """Appends what the driver said about programs that it did not compile."""
        for file in sorted(self.cache.glob("build-*.log")):
            self.log.write(f"== {file.name}\n{file.read_text(errors='replace')}")


class Peer:
    """PyTorch in a process of its own; `about` says what it is, or why it is absent."""

    def __init__(self, device, log):
        self.process = None
        if device == "none":
            self.about = {"absent": "not asked for"}
            return
        python, tried = self.python()
        if not python:
            self.about = {"absent": f"no Python with PyTorch ({', '.join(tried)}); name one in TEMPER_PYTHON"}
            return
        self.device = device
        self.process = subprocess.Popen(
            [python, Path(__file__).with_name("peer.py"), "--device", device], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=log, text=True)
        self.about = self.reply(120)
        if "error" in self.about:
            self.about = {"absent": f"PyTorch of {python} does not start: {self.about['error']}"}

    @staticmethod
    def python():
        chosen = os.environ.get("TEMPER_PYTHON")
        names = [chosen] if chosen else [sys.executable, shutil.which("python3"), ".venv/bin/python"]
        names = [name for name in dict.fromkeys(names) if name]
        look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
        for name in names:
            try:
                if subprocess.run([name, "-c", look], stderr=subprocess.DEVNULL).returncode == 0:
                    return name, names
            except OSError:
                pass
        return None, names

    @property
    def is_present(self):
        return "absent" not in self.about

    def reply(self, timeout):
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            self.close()
            raise OutOfTime
        text = self.process.stdout.readline()
        return json.loads(text) if text else {"error": f"it ended with status {self.process.wait()}"}

    def report(self, program, precision, options, timeout):
        arguments = [*options, "--precision", precision, "--device", self.device]
        try:
            self.process.stdin.write(json.dumps({"program": program, "arguments": arguments}) + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it ended; its reply says so
        answer = self.reply(timeout)
        if "unavailable" in answer:
            raise Refused(answer["unavailable"])
        if "error" in answer:
            raise Failure(1, answer["error"])
        return answer

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
