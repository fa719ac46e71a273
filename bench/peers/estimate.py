"""What DeepSpeed and accelerate predict for training one llama config, as one JSON line of bytes. bench/estimators.py
runs it.

    estimate.py CONFIG.json [--ranks 1]
"""

import argparse
import json
import os

os.environ["DS_ACCELERATOR"] = "cpu"  # before deepspeed is imported


def deepspeed_bytes(parameters, largest_layer, ranks):
    from deepspeed.runtime.zero.stage3 import estimate_zero3_model_states_mem_needs as zero3
    from deepspeed.runtime.zero.stage_1_and_2 import estimate_zero2_model_states_mem_needs as zero2

    common = {"num_gpus_per_node": ranks, "num_nodes": 1, "cpu_offload": False}
    return {
        "deepspeed zero2": zero2(parameters, **common)[1],
        "deepspeed zero3": zero3(parameters, largest_layer, cpu_offload_params=False, **common)[1],
    }


def accelerate_bytes(parameters):
    from accelerate.commands.estimate import estimate_training_usage

    return {
        "accelerate f32": max(estimate_training_usage(4 * parameters, "float32").values()),
        "accelerate bf16": max(estimate_training_usage(4 * parameters, "bfloat16").values()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("--ranks", type=int, default=1)
    args = parser.parse_args()
    import torch
    import transformers

    with torch.device("meta"):
        model = transformers.LlamaForCausalLM(transformers.LlamaConfig.from_json_file(args.config))
    model.tie_weights()
    parameters = sum(p.numel() for p in model.parameters())
    largest = max(sum(p.numel() for p in module.parameters(recurse=False)) for module in model.modules())
    report = {"parameters": parameters}
    for name, estimate in (
        ("deepspeed", lambda: deepspeed_bytes(parameters, largest, args.ranks)),
        ("accelerate", lambda: accelerate_bytes(parameters)),
    ):
        try:
            report |= estimate()
        except ImportError as missing:
            report[name] = str(missing)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
