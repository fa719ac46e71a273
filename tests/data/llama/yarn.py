"""Prints what transformers computes for the YaRN configs of tests/models/rotary_test.cc: the frequencies and the factor
of cosines and sines. Run it with a Python that has torch and transformers (5.24.0 made the numbers there):

    python tests/data/llama/yarn.py
"""
import json

import transformers
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

CASES = [
    # Qwen2.5's cards, at a head of 16 and 128 positions.
    {"head_dim": 16, "max_position_embeddings": 128, "rope_theta": 1000000.0,
     "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}},
    # original_max_position_embeddings is max_position_embeddings where it is missing.
    {"head_dim": 16, "max_position_embeddings": 4096, "rope_theta": 10000.0,
     "rope_scaling": {"rope_type": "yarn", "factor": 8.0}},
    # Everything that has a default.
    {"head_dim": 12, "max_position_embeddings": 512,
     "rope_parameters": {"rope_type": "yarn", "rope_theta": 500.0, "factor": 16.0, "beta_fast": 8.0, "beta_slow": 2.0,
                         "original_max_position_embeddings": 64, "mscale": 0.7, "mscale_all_dim": 1.0,
                         "truncate": False}},
    {"head_dim": 8, "max_position_embeddings": 256, "rope_theta": 100.0,
     "rope_scaling": {"rope_type": "yarn", "factor": 2.0, "attention_factor": 0.9,
                      "original_max_position_embeddings": 16}},
]

for case in CASES:
    config = transformers.Qwen2Config(hidden_size=32, num_attention_heads=4, num_key_value_heads=2, **case)
    frequencies, factor = ROPE_INIT_FUNCTIONS["yarn"](config, "cpu")
    print(json.dumps(case), [float(f"{x:.9g}") for x in frequencies.tolist()], float(factor))
