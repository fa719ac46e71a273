"""Makes settings.json, which tests/formats/tokenizer/tokenizer_settings_test.cc compares with: what files beside a
tokenizer.json change of its ids, as AutoTokenizer of transformers 4 has it. A case is a tokenizer of this directory with
some of its sections replaced, the files beside it, and what comes of them: ids of the texts with begin and end tokens,
the texts of those ids without special tokens, where they are comparable, and the ids of the roles.

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

    yield from added_tokens()


def token(content, **flags):
    plain = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return {"content": content, **plain, **flags}


def added_tokens():
    a, b = token("<|a|>"), token("<|b|>", special=False, normalized=True)
    fast = {"tokenizer_class": "PreTrainedTokenizerFast"}
    without = {"added_tokens": [], "post_processor": None}
    for tokenizer, first in (("gpt2", 700), ("llama", 667), ("deepseek_llm", 705)):
        for loader in ("PreTrainedTokenizerFast", "LlamaTokenizerFast"):
            config = {"tokenizer_class": loader, **ROLES, "unk_token": None}
            decoder = {str(first + 1): b, str(first): a}
            yield tokenizer, {}, {"tokenizer_config.json": {**config, "added_tokens_decoder": decoder}}
            yield tokenizer, {}, {"tokenizer_config.json": config, "added_tokens.json": {"<|b|>": first + 1, "<|a|>": first}}
        map_ = {"additional_special_tokens": ["<|a|>", token("<|b|>", rstrip=True)], "pad_token": "<|a|>"}
        yield tokenizer, {}, {"tokenizer_config.json": fast, "special_tokens_map.json": map_}
        yield tokenizer, {}, {"tokenizer_config.json": fast, "special_tokens_map.json": map_, "added_tokens.json": {"<|a|>": first}}
        yield tokenizer, {}, {"tokenizer_config.json": {**fast, "added_tokens_decoder": {}}, "special_tokens_map.json": map_}
        yield tokenizer, {}, {"tokenizer_config.json": {**fast, "additional_special_tokens": ["<|b|>", "<|a|>"]}}
        yield tokenizer, {}, {"tokenizer_config.json": {**fast, "extra_special_tokens": {"image_token": "<|b|>"}}}
        yield tokenizer, {}, {"tokenizer_config.json": {**fast, "eos_token": "<|b|>", "pad_token": "<|a|>"}}
        mask = {"mask_token": {"__type": "AddedToken", **token("<|a|>", lstrip=True, rstrip=True)}}
        yield tokenizer, {}, {"tokenizer_config.json": {**fast, **mask}}
        # Pieces of the vocabulary that only these files make added tokens of, and others that are found in another way.
        plain = {"<s>": 0, "</s>": 1, "<|im_end|>": 4} if tokenizer == "gpt2" else {}
        again = {str(i): token(text, special=False) for text, i in plain.items()}
        yield tokenizer, without, {"tokenizer_config.json": {**fast, "added_tokens_decoder": again}}
        yield tokenizer, without, {"tokenizer_config.json": fast, "added_tokens.json": plain}
        yield tokenizer, without, {"tokenizer_config.json": {**fast, **ROLES}}
        if tokenizer != "deepseek_llm":  # whose vocabulary has no <s>: transformers would make one up
            yield tokenizer, without, {"tokenizer_config.json": {"tokenizer_class": "LlamaTokenizer", "unk_token": None}}
        known = {"gpt2": 0, "llama": 1, "deepseek_llm": 700}[tokenizer]
        strips = {str(known): token("<s>", lstrip=True, rstrip=True, special=False)}
        yield tokenizer, {}, {"tokenizer_config.json": {**fast, "added_tokens_decoder": strips}}
        normalized = {str(known): token("<s>", normalized=True)}
        yield tokenizer, {}, {"tokenizer_config.json": {**fast, "added_tokens_decoder": normalized}}
        # Flags of a role, which added_tokens.json does not overrule, nor an added_tokens_decoder without the token.
        role = {"bos_token": {"__type": "AddedToken", **token("<|a|>", lstrip=True, rstrip=True)}}
        role["eos_token"] = {"__type": "AddedToken", **token("<|a|>", single_word=True)}
        yield tokenizer, {}, {"tokenizer_config.json": {**fast, **role}, "added_tokens.json": {"<|a|>": first}}
        yield tokenizer, {}, {"tokenizer_config.json": {**fast, **role, "added_tokens_decoder": {str(first): a}}}
        role["bos_token"] = {"__type": "AddedToken", **token("<s>", lstrip=True, rstrip=True)}
        yield tokenizer, {}, {"tokenizer_config.json": {**fast, **role}}
        yield tokenizer, {}, {"tokenizer_config.json": {**fast, **role, "added_tokens_decoder": {}}}
    yield "gpt2", {}, {"tokenizer_config.json": {**fast, "bos_token": "hel"}}
    yield "qwen2", without, {"tokenizer_config.json": {"tokenizer_class": "Qwen2Tokenizer", "pad_token": None, "eos_token": "<|im_end|>", "unk_token": None}}


def expected(tokenizer, edit, files):
    with tempfile.TemporaryDirectory() as directory:
        content = json.loads((HERE / f"{tokenizer}.json").read_text())
        (Path(directory) / "tokenizer.json").write_text(json.dumps({**content, **edit}))
        for name, file in files.items():
            (Path(directory) / name).write_text(json.dumps(file))
        loaded = AutoTokenizer.from_pretrained(directory)
        ids = [loaded(text).input_ids for text in TEXTS]
        roles = [loaded.bos_token_id, loaded.eos_token_id, loaded.pad_token_id]
        plain = [loaded.decode(i, skip_special_tokens=True, clean_up_tokenization_spaces=False) for i in ids]
        # What a normalizer changes is decoded to what it became since tokenizers 0.23, which is newer than this.
        return {"ids": ids, "plain": plain if tokenizer != "llama" else None, "roles": roles}


if __name__ == "__main__":
    lines = []
    for tokenizer, edit, files in cases():
        case = {"tokenizer": tokenizer, "edit": edit, "files": files, **expected(tokenizer, edit, files)}
        lines.append(json.dumps(case))
    head = f'{{"texts": {json.dumps(TEXTS)},\n"cases": [\n'
    (HERE / "settings.json").write_text(head + ",\n".join(lines) + "\n]}\n")
