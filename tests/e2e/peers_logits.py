"""Run by peers_test.py with a Python that has torch, transformers and safetensors:

    peers_logits.py MODEL IDS.json OUT.safetensors [RESAVED]

Loads MODEL with transformers, refusing missing, unexpected and misshapen tensors, and writes its float32 logits.
RESAVED: also saves the model there as transformers does, in shards of 20 KB.
"""
import json
import sys

import torch
import transformers
from safetensors.torch import save_file

model_path, ids_path, out_path, *resaved = sys.argv[1:]
model, info = transformers.AutoModelForCausalLM.from_pretrained(model_path, output_loading_info=True)
problems = {key: sorted(map(str, names)) for key, names in info.items() if names}
if problems:
    sys.exit(f"{model_path}: transformers reports {problems}")
if resaved:
    model.save_pretrained(resaved[0], max_shard_size="20KB")
with open(ids_path, encoding="utf-8") as file, torch.no_grad():
    logits = model.float()(input_ids=torch.tensor(json.load(file)["ids"])).logits
save_file({"logits": logits.contiguous()}, out_path)
