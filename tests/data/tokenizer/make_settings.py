"""Makes settings.json, which tests/formats/tokenizer/tokenizer_settings_test.cc compares with: what files beside a
tokenizer.json change of its ids, as AutoTokenizer of transformers 4 has it. A case is a tokenizer of this directory with
some of its sections replaced, the files beside it, and what comes of them: ids of the texts with begin and end tokens,
the texts of those ids without special tokens, and the ids of the roles.

Needs `pip install "transformers<5"` (written with 4.57). Run in this directory: python make_settings.py
"""

import json
import tempfile
from pathlib import Path

from transformers import AutoTokenizer

HERE = Path(__file__).parent
TEXTS = ["hello", "", "<s>hi</s> there <|im_start|>user\nhi<|im_end|>", " x <|a|>  <|b|>\ny <unk> [c]d <pad>"]
LLAMA, QWEN2 = {"model_type": "llama"}, {"model_type": "qwen2"}
ROLES = {"bos_token": "<s>", "eos_token": "</s>"}
BYTES = {"post_processor": None}  # adds nothing


def cases():
    for tokenizer in ("gpt2", "deepseek_llm", "llama"):
        for loader in ("LlamaTokenizerFast", "LlamaTokenizer", "PreTrainedTokenizerFast", "Qwen2TokenizerFast", None):
            for begins, ends in ((True, False), (False, True), (True, True), (False, False), (None, None)):
                config = {**ROLES, "unk_token": None, "pad_token": None}
                if loader:
                    config["tokenizer_class"] = loader
                if begins is not None:
                    config["add_bos_token"] = begins
                    config["add_eos_token"] = ends
                if loader is None and begins is None:
                    continue  # the loader's default follows from the model's type alone: left to the tokenizer.json
                for edit in (BYTES, {}):
                    yield tokenizer, edit, {"tokenizer_config.json": config, "config.json": LLAMA}
    objects = {role: {"__type": "AddedToken", "content": text, "lstrip": False} for role, text in ROLES.items()}
    yield "gpt2", BYTES, {"tokenizer_config.json": {**objects, "unk_token": None, "tokenizer_class": "LlamaTokenizer"}}
    yield "gpt2", BYTES, {"tokenizer_config.json": {**ROLES, "unk_token": None, "pad_token": None, "add_bos_token": True}, "config.json": QWEN2}
    named = {"tokenizer_class": "LlamaTokenizerFast", "unk_token": None}
    yield "llama", BYTES, {"tokenizer_config.json": named}
    yield "gpt2", BYTES, {"tokenizer_config.json": {**named, "add_bos_token": True}, "special_tokens_map.json": ROLES}
    yield "gpt2", BYTES, {"tokenizer_config.json": {"bos_token": "<pad>", **named}, "special_tokens_map.json": ROLES}
    yield "gpt2", BYTES, {"tokenizer_config.json": {**ROLES, "unk_token": None}, "config.json": {**LLAMA, "tokenizer_class": "LlamaTokenizer"}}


def expected(tokenizer, edit, files):
    with tempfile.TemporaryDirectory() as directory:
        content = json.loads((HERE / f"{tokenizer}.json").read_text())
        (Path(directory) / "tokenizer.json").write_text(json.dumps({**content, **edit}))
        for name, file in files.items():
            (Path(directory) / name).write_text(json.dumps(file))
        loaded = AutoTokenizer.from_pretrained(directory)
        ids = [loaded(text).input_ids for text in TEXTS]
        roles = [loaded.bos_token_id, loaded.eos_token_id, loaded.pad_token_id]
        return {"ids": ids, "plain": [loaded.decode(i, skip_special_tokens=True, clean_up_tokenization_spaces=False) for i in ids], "roles": roles}


if __name__ == "__main__":
    lines = []
    for tokenizer, edit, files in cases():
        case = {"tokenizer": tokenizer, "edit": edit, "files": files, **expected(tokenizer, edit, files)}
        lines.append(json.dumps(case))
    head = f'{{"texts": {json.dumps(TEXTS)},\n"cases": [\n'
    (HERE / "settings.json").write_text(head + ",\n".join(lines) + "\n]}\n")
