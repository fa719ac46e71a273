"""Run by peers_test.py with a Python that has torch, transformers, peft and safetensors:

    peers_adapter.py MODEL ADAPTER IDS.json OUT.safetensors [RESAVED]

Loads ADAPTER onto MODEL with PEFT and writes the float32 logits of both. ADAPTER that is not there yet: makes one with
PEFT, with random numbers in A and B, and saves it. RESAVED: merges the adapter and saves the model there.
"""
import json
import os
import sys

import peft
import torch
import transformers
from safetensors.torch import save_file

model_path, adapter, ids_path, out_path, *resaved = sys.argv[1:]
torch.manual_seed(1)
base = transformers.AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
if os.path.exists(adapter):
    model = peft.PeftModel.from_pretrained(base, adapter)
else:
    config = peft.LoraConfig(r=3, lora_alpha=5, target_modules=["q_proj", "o_proj", "up_proj"], task_type="CAUSAL_LM",
                             init_lora_weights=False, lora_dropout=0.1)
    model = peft.get_peft_model(base, config)
    model.save_pretrained(adapter)
model.eval()
with open(ids_path, encoding="utf-8") as file, torch.no_grad():
    logits = model(input_ids=torch.tensor(json.load(file)["ids"])).logits
save_file({"logits": logits.contiguous()}, out_path)
if resaved:
    model.merge_and_unload().save_pretrained(resaved[0])
