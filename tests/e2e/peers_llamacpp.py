"""llama.cpp's logits of rows of token ids: peers_llamacpp.py FILE.gguf IDS.json OUT

OUT gets them as f32, row by row, nothing else. Everything is computed in f32, the KV cache included. Needs
llama-cpp-python.
"""

import json
import sys
from pathlib import Path

import llama_cpp
import numpy

file, ids, out = sys.argv[1:]
rows = json.loads(Path(ids).read_text(encoding="ascii"))["ids"]
model = llama_cpp.Llama(
    file,
    n_ctx=len(rows[0]),
    n_threads=1,
    logits_all=True,
    flash_attn=False,
    type_k=llama_cpp.GGML_TYPE_F32,
    type_v=llama_cpp.GGML_TYPE_F32,
    verbose=False,
)
logits = []
for row in rows:
    model.reset()
    model.eval(row)
    logits.append(numpy.array(model.scores[: len(row)], dtype=numpy.float32))
Path(out).write_bytes(numpy.stack(logits).tobytes())
