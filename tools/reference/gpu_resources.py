#!/usr/bin/env python3
"""Compiles the GPU-shaped kernels for real GPUs, without one, and prints what they would use.

    python3 tools/reference/gpu_resources.py [--clang PATH] [--ptxas PATH] [--tensor-cores | --intel OCLOC]

With --intel it compiles every kernel for Intel's GPUs instead, by their driver's own compiler (ocloc, in the package
intel-opencl-icd of Debian), and prints how many items share a hardware thread, instructions, and bytes of spilled
registers. For others it needs a clang that has the targets amdgcn and nvptx64 (clang-15 of Debian has), and for NVIDIA's registers ptxas, which is
in the package nvidia-cuda-nvcc-cu12 of PyPI. Prints registers per work item, bytes of spilled or private memory, and
the instructions of the kernel's code: fused multiply-adds, reads of local memory of 16 and of 4 bytes, and loads of
global memory of 16 and of 4 bytes. Of the kernels for tensor cores, with --tensor-cores nothing but these, it prints the
multiplications of matrices, the reads of their operands (ldmatrix, single words) and the asynchronous copies in PTX, for
slices that pass through registers (two of them) and for those that are copied (three or four); bytes of local memory per
work group; and where nvdisasm lies beside ptxas, as in the package triton of PyPI, the instructions of the innermost loop
that multiplies, for sm_80 and sm_90. The drivers' own compilers can differ.
"""
import argparse
import glob
import itertools
import os
import re
import shutil
import subprocess
import tempfile

KERNELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "Kernels")

# What the compilers' libraries would define.
COMMON = """
#define get_local_id(d) ((int)ITEM())
#define get_group_id(d) ((int)((d) == 0 ? GROUP_X() : GROUP_Z()))
#define get_global_id(d) (get_group_id(d) * 64 + get_local_id(d))
#define fma(a, b, c) __builtin_fmaf(a, b, c)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define fabs(x) __builtin_fabsf(x)
#define INFINITY __builtin_inff()
#define as_uint(x) __builtin_astype((x), uint)
#define as_float(x) __builtin_astype((x), float)
#define asm __asm__
typedef unsigned int uint;
typedef unsigned short ushort;
typedef __SIZE_TYPE__ size_t;
typedef uint uint2 __attribute__((ext_vector_type(2)));
typedef uint uint4 __attribute__((ext_vector_type(4)));
typedef float float2 __attribute__((ext_vector_type(2)));
typedef float float4 __attribute__((ext_vector_type(4)));
"""
AMD = COMMON + """
#define ITEM __builtin_amdgcn_workitem_id_x
#define GROUP_X __builtin_amdgcn_workgroup_id_x
#define GROUP_Z __builtin_amdgcn_workgroup_id_z
#define barrier(x) { __builtin_amdgcn_fence(__ATOMIC_RELEASE, "workgroup"); __builtin_amdgcn_s_barrier(); \\
  __builtin_amdgcn_fence(__ATOMIC_ACQUIRE, "workgroup"); }
"""
NVIDIA = COMMON + """
#define ITEM __nvvm_read_ptx_sreg_tid_x
#define GROUP_X __nvvm_read_ptx_sreg_ctaid_x
#define GROUP_Z __nvvm_read_ptx_sreg_ctaid_z
#define barrier(x) __syncthreads()
"""


def source(family):
    """The text of a family of kernels with its includes."""
    with open(os.path.join(KERNELS, family + ".cl"), encoding="utf-8") as file:
        text = file.read()
    return re.sub(r'^#include "(\w+)\.cl"$', lambda match: source(match.group(1)), text, flags=re.M)


def tile(m, n, depth, item_m, item_n, vector=4):
    """The macros of a ProductTile with the usual settings."""
    return {
        "TILE_M": m, "TILE_N": n, "TILE_K": depth, "ITEM_M": item_m, "ITEM_N": item_n, "PAD": 4, "STAGES": 2,
        "UNROLL": 8, "ITEMS": m // item_m * n // item_n, "A_ALONG": 0, "B_ALONG": 1, "VECTOR_A": vector,
        "VECTOR_B": vector, "VECTOR_C": vector,
    }


def matrix_tile(bits, m, n, depth, item_m, item_n, stages, along):
    """The macros of a ProductTile on matrix units; whether A and B are read along rows and columns."""
    macros = tile(m, n, depth, item_m, item_n, 8 if bits == 16 else 4)
    macros.update({"OPERAND_BITS": bits, "A_ALONG": along[0], "B_ALONG": along[1], "VECTOR_C": 2, "PAD": 0,
                   "STAGES": stages})
    return macros


def assembly(clang, target, processor, prelude, family, macros):
    with tempfile.TemporaryDirectory() as folder:
        defines = "".join(f"#define {name} {value}\n" for name, value in macros.items())
        with open(folder + "/kernel.cl", "w", encoding="utf-8") as file:
            file.write(defines + prelude + source(family))
        command = [
            clang, "-x", "cl", "-cl-std=CL1.2", "-target", target, "-Xclang", "-target-cpu", "-Xclang", processor,
            "-O3", "-w", "-S", "-o", folder + "/kernel.s", folder + "/kernel.cl"]
        if target.startswith("amdgcn"):
            command.insert(1, "-nogpulib")
        subprocess.run(command, check=True)
        with open(folder + "/kernel.s", encoding="utf-8") as file:
            return file.read()


def counts(body, patterns):
    return "  ".join(f"{name} {len(re.findall(pattern, body))}" for name, pattern in patterns.items())


def report_amd(clang, processor, family, macros):
    text = assembly(clang, "amdgcn-amd-amdhsa", processor, AMD, family, macros)
    for name in re.findall(r"\.name:\s+(\w+_gpu)\n", text):
        start = text.index(f"\n{name}:")
        body = text[start:text.index(".end_amdhsa_kernel", start)]
        facts = text[text.index(f".name:           {name}\n"):]
        registers, private = (
            re.search(rf"\.{key}:\s+(\d+)", facts).group(1) for key in ("vgpr_count", "private_segment_fixed_size"))
        print(f"  {processor:8} {name:34} registers {registers:>3}  private {private:>3}  " + counts(body, {
            "fma": r"v_(?:fmac?|mac|pk_fma)_f32", "local16": r"ds_(?:read|load)_b128",
            "local4": r"ds_(?:read|load)2?_b32", "global16": r"global_load_(?:dwordx4|b128)",
            "global4": r"global_load_(?:dword |b32)"}))


def report_nvidia(clang, ptxas, processor, family, macros):
    text = assembly(clang, "nvptx64-nvidia-nvcl", processor, NVIDIA, family, macros)
    log = ""
    if ptxas:
        with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
            file.write(text)
            file.flush()
            log = subprocess.run(
                [ptxas, "-v", "-arch=" + processor, "-o", os.devnull, file.name], check=True, capture_output=True,
                text=True).stderr
    for part in text.split(".entry ")[1:]:
        name = part[:part.index("(")].strip()
        found = re.search(rf"'{name}' for.*?(\d+) bytes stack frame, (\d+) bytes spill.*?Used (\d+) reg", log, re.S)
        registers, private = (found.group(3), found.group(1)) if found else ("?", "?")
        print(f"  {processor:8} {name:34} registers {registers:>3}  private {private:>3}  " + counts(part, {
            "fma": r"fma\.rn\.f32", "local16": r"ld\.shared\.v4", "local4": r"ld\.shared\.f32",
            "global16": r"ld\.global(?:\.nc)?\.v4", "global4": r"ld\.global(?:\.nc)?\.f32"}))


def assemble(ptxas, processor, text, items, binary):
    """What ptxas says; the kernels' work groups have so many items, which OpenCL's drivers know."""
    text = re.sub(r"(\.entry \w+_gpu\([^)]*\))", rf"\1\n.reqntid {items}, 1, 1", text)
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(text)
        file.flush()
        command = [ptxas, "-v", "-arch=" + processor, "-o", binary, file.name]
        return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def innermost_loop(disassembly, kernel):
    """The instructions of the shortest loop of a kernel that multiplies matrices."""
    lines = disassembly.split(f".text.{kernel}:")[-1].split("\n")
    labels = {line[:-1]: number for number, line in enumerate(lines) if re.fullmatch(r"\.L_x?_?\d+:", line)}
    loops = []
    for number, line in enumerate(lines):
        target = re.search(r"BRA.*?`\((\.L_x?_?\d+)\)", line)
        if target and labels.get(target.group(1), number) < number:
            loop = lines[labels[target.group(1)]:number + 1]
            if "HMMA" in "".join(loop):
                loops.append(loop)
    pattern = r"^\s+/\*[0-9a-f]+\*/\s+(?:@!?U?P\d+\s+)?([A-Z][A-Z0-9_]*)"
    return re.findall(pattern, "\n".join(min(loops, key=len, default=[])), re.M)


def report_tensor_cores(clang, ptxas, family, kernel, macros):
    text = assembly(clang, "nvptx64-nvidia-nvcl", "sm_80", NVIDIA, family, macros)
    body = next(part for part in text.split(".entry ")[1:] if part.startswith(kernel + "("))
    print(f"  {kernel:34} " + counts(body, {
        "mma": r"mma\.sync", "ldmatrix": r"ldmatrix", "local4": r"ld\.shared\.[bu]32", "global16": r"ld\.global.*v4",
        "copy": r"cp\.async\.c[ag]"}))
    if not ptxas:
        return
    disassembler = os.path.join(os.path.dirname(ptxas), "nvdisasm")
    for processor in ("sm_80", "sm_90"):
        with tempfile.NamedTemporaryFile(suffix=".cubin") as binary:
            log = assemble(ptxas, processor, text, macros["ITEMS"], binary.name)
            found = re.search(
                rf"'{kernel}' for.*?(\d+) bytes spill stores.*?Used (\d+) reg.*?(\d+) bytes smem", log, re.S)
            line = f"    {processor} registers {found.group(2):>3}  spilled {found.group(1):>3}  local {found.group(3):>5}"
            if os.path.exists(disassembler):
                code = subprocess.run([disassembler, "-c", binary.name], check=True, capture_output=True, text=True)
                loop = innermost_loop(code.stdout, kernel)
                line += f"  loop {len(loop)}: " + "  ".join(
                    f"{name} {loop.count(name)}" for name in ("HMMA", "LDSM", "LDS", "STS", "LDG", "LDGSTS"))
            print(line)


def report_all_tensor_cores(clang, ptxas):
    kernels = [
        ("matmul_gpu", "matmul_gpu", (0, 1)), ("matmul_gpu", "matmul_gpu", (1, 0)),
        ("convolution_gpu", "convolution_gpu", (0, 1)), ("convolution_gpu", "convolution_input_gradient_gpu", (0, 0)),
        ("convolution_gpu", "convolution_weight_gradient_gpu", (1, 1))]
    tiles = [(256, 128, 8, 16), (128, 128, 8, 8), (128, 64, 8, 8), (64, 64, 4, 8), (128, 32, 4, 8), (32, 32, 4, 4)]
    for bits, usual in ((16, 32), (19, 16)):
        for stages, (m, n, item_m, item_n) in itertools.product((2, 3), tiles):
            # As shipped: the largest tile has slices of half the depth where there are more than two of them.
            depth, stages = (usual // 2, 4) if (stages, m) == (3, 256) else (usual, stages)
            print("bfloat16" if bits == 16 else "tf32", "tile", (m, n, depth, item_m, item_n), "slices", stages)
            for family, kernel, along in kernels:
                macros = matrix_tile(bits, m, n, depth, item_m, item_n, stages, along)
                report_tensor_cores(clang, ptxas, family, kernel, macros)


def report_intel(ocloc, processor, family, macros):
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/kernel.cl", "w", encoding="utf-8") as file:
            file.write(source("common") + source(family))
        options = " ".join(["-cl-std=CL1.2"] + [f"-D{name}={value}" for name, value in macros.items()])
        subprocess.run(
            [ocloc, "compile", "-file", folder + "/kernel.cl", "-device", processor, "-options", options, "-out_dir",
             folder], check=True, stdout=subprocess.DEVNULL,
            env={**os.environ, "IGC_ShaderDumpEnable": "1", "IGC_DumpToCustomDir": folder})
        for name in sorted(glob.glob(folder + "/**/*_simd*.asm", recursive=True)):
            with open(name, encoding="utf-8", errors="replace") as file:
                text = file.read()
            kernel, instructions = (
                re.search(pattern, text).group(1) for pattern in (r"\.kernel (\w+)", r"//.*instCount (\d+)"))
            spilled = re.search(r"//.*spill size (\d+)", text)
            items = re.search(r"_simd(\d+)", os.path.basename(name)).group(1)
            print(f"  {processor:8} {kernel:34} items {items:>2}  instructions {instructions:>4}  "
                  f"spilled {spilled.group(1) if spilled else 0}")


def report_all_intel(ocloc):
    # skl: Skylake, tgllp: Tiger Lake, dg2: Arc.
    for processor in ("skl", "tgllp", "dg2"):
        for family in ("matmul_gpu", "convolution_gpu"):
            for extents in ((64, 64, 16, 8, 4), (64, 32, 16, 4, 4), (32, 32, 16, 4, 4), (128, 128, 8, 8, 8)):
                for along, vector in itertools.product(((0, 1), (0, 0), (1, 1)), (1, 4)):
                    print(family, "tile", extents, "A and B along rows", along, "loads of", vector)
                    macros = tile(*extents, vector)
                    macros.update({"A_ALONG": along[0], "B_ALONG": along[1]})
                    report_intel(ocloc, processor, family, macros)
        for extent in (4, 2):
            print("winograd_gpu extent", extent)
            report_intel(ocloc, processor, "winograd_gpu", {"EXTENT": extent})
        for family in ("attack", "elementwise", "normalization", "optimizer", "pooling", "random", "reduction", "reduction_gpu"):
            print(family)
            report_intel(ocloc, processor, family, {})
        report_intel(ocloc, processor, "elementwise", {"ROW_ITEMS": 64})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clang", default=(sorted(glob.glob("/usr/lib/llvm-*/bin/clang")) or ["clang"])[-1])
    parser.add_argument("--ptxas", default=shutil.which("ptxas"))
    parser.add_argument("--tensor-cores", action="store_true")
    parser.add_argument("--intel", metavar="OCLOC")
    options = parser.parse_args()
    if options.intel:
        report_all_intel(options.intel)
        return
    report_all_tensor_cores(options.clang, options.ptxas)
    if options.tensor_cores:
        return
    nvidia = [(128, 128, 8, 8, 8), (128, 128, 16, 8, 8), (128, 64, 16, 8, 4), (64, 64, 16, 4, 4), (32, 32, 16, 4, 4)]
    amd = [(128, 128, 8, 8, 8), (64, 64, 8, 8, 8), (64, 64, 16, 8, 8), (64, 64, 16, 4, 4)]
    for family in ("matmul_gpu", "convolution_gpu"):
        for extents in nvidia:
            print(family, "tile", extents)
            report_nvidia(options.clang, options.ptxas, "sm_80", family, tile(*extents))
        for extents in amd:
            print(family, "tile", extents)
            for processor in ("gfx906", "gfx90a", "gfx1030"):
                report_amd(options.clang, processor, family, tile(*extents))
    for extent in (4, 2):
        print("winograd_gpu extent", extent)
        report_nvidia(options.clang, options.ptxas, "sm_80", "winograd_gpu", {"EXTENT": extent})
        report_amd(options.clang, "gfx1030", "winograd_gpu", {"EXTENT": extent})


main()
