"""Prompt and generation rates of llama.cpp (llama-cpp-python), as one JSON line. bench/inference.py runs it beside
headroom.

    run_llamacpp.py MODEL.gguf [--prompt 512] [--generate 64] [--repeat 3] [--threads 2]

The ids are arbitrary: rates do not depend on them. The KV cache is f16, llama.cpp's default; --f32-cache makes it f32,
headroom's.
"""

import argparse
import json
import os
import pathlib
import statistics
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--f32-cache", action="store_true")
    args = parser.parse_args()
    import llama_cpp

    cache = {"type_k": llama_cpp.GGML_TYPE_F32, "type_v": llama_cpp.GGML_TYPE_F32} if args.f32_cache else {}
    model = llama_cpp.Llama(
        args.model,
        n_ctx=args.prompt + args.generate,
        n_threads=args.threads,
        n_threads_batch=args.threads,
        n_batch=args.prompt,
        n_ubatch=args.prompt,
        verbose=False,
        **cache,
    )
    prefill, decode = [], []
    for run in range(args.repeat + 1):  # the first warms up
        model.reset()
        start = time.perf_counter()
        model.eval([3 + i % 200 for i in range(args.prompt)])
        read = time.perf_counter()
        model.reset()  # decoding starts with an empty cache, as in llama-bench
        begin = time.perf_counter()
        for i in range(args.generate):
            model.eval([3 + i % 200])
        end = time.perf_counter()
        if run > 0:
            prefill.append(args.prompt / (read - start))
            decode.append(args.generate / (end - begin))
    status = pathlib.Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    report = {
        "engine": f"llama-cpp-python {llama_cpp.__version__}",
        "prefill_tokens_per_second": [round(rate, 2) for rate in prefill],
        "decode_tokens_per_second": [round(rate, 3) for rate in decode],
        "prefill_median": round(statistics.median(prefill), 2),
        "decode_median": round(statistics.median(decode), 3),
        "peak_bytes": next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:")),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
