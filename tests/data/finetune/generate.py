#!/usr/bin/env python3
"""Makes the files beside it: a tiny tokenizer with a chat template, a random model, small data of every kind, and what
transformers makes of them: ids, what counts, and the losses of a few steps. Rows are packed here once more, as
docs/data.md says.

  generate.py        (needs torch, transformers and tokenizers; the seeds are below)
"""

import json
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
SEQ_LEN = 48
STEPS = 6
SPECIAL = ["<s>", "</s>", "<|user|>", "<|assistant|>", "<|end|>"]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'assistant' %}<|assistant|>\n{% generation %}{{ message['content'] }}<|end|>"
    "{% endgeneration %}\n{% else %}<|user|>\n{{ message['content'] }}<|end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
CORPUS = [
    "the cat sat on the mat and the dog sat on the log",
    "what is the capital of the land? the capital is the town by the sea",
    "add two and two and you have four; take one and three are left",
    "a question, an answer: the answer is in the question",
] * 8
COMPLETIONS = [
    {"prompt": "what is the capital?", "completion": " the town by the sea"},
    {"prompt": "two and two is", "completion": " four"},
    {"prompt": "", "completion": "the cat sat on the mat"},
    {"completion": "\n\nthe dog \u00e9\u4f60\u597d \U0001f600", "prompt": "an answer:\n", "id": 4},
    {"prompt": "the answer is in the ques", "completion": "tion</s>"},
    {"prompt": "take one ", "completion": " and three are left " * 12},
    {"prompt": "the cat " * 40, "completion": "never reached"},
    {"prompt": "the log", "completion": ""},
]
MESSAGES = [
    [{"role": "user", "content": "two and two?"}, {"role": "assistant", "content": "four"}],
    [
        {"role": "system", "content": "the land"},
        {"role": "user", "content": "the capital?"},
        {"role": "assistant", "content": "by the sea"},
        {"role": "user", "content": "and the dog \u00e9?"},
        {"role": "assistant", "content": " sat on\n\nthe log "},
    ],
    [{"role": "user", "content": "a question"}],
    [{"role": "assistant", "content": "\n\u4f60\u597d, <|user|> the cat"}],
    [{"role": "user", "content": "a question " * 3}, {"role": "assistant", "content": "an answer " * 30}],
]
TEXTS = ["the cat sat on the mat", "a", "the capital is the town by the sea " * 14, "two and two", "the log"]


def make_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=[], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    begin = tokenizer.token_to_id("<s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", begin)]
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>")
    tokenizer.save(str(HERE / "model" / "tokenizer.json"))
    fields = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": TEMPLATE}
    (HERE / "model" / "tokenizer_config.json").write_text(json.dumps(fields, indent=1) + "\n")
    fast.chat_template = TEMPLATE
    return fast


def make_model(vocabulary):
    torch.manual_seed(11)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0,
        tie_word_embeddings=False, bos_token_id=None, eos_token_id=None, initializer_range=0.3, dtype="float32",
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    model.save_pretrained(HERE / "model")
    (HERE / "model" / "generation_config.json").unlink(missing_ok=True)


def completion_example(tokenizer, example):
    """Prompt and completion together, as TRL's SFTTrainer (1.16) does: joint ids, the border where they differ."""
    end = tokenizer.eos_token
    whole = example["prompt"] + example["completion"]
    ids = tokenizer(whole if whole.endswith(end) else whole + end)["input_ids"]
    prompt = tokenizer(example["prompt"])["input_ids"]
    border = next((at for at, (a, b) in enumerate(zip(prompt, ids)) if a != b), min(len(prompt), len(ids)))
    return ids, [int(at >= border) for at in range(len(ids))]


def chat_example(tokenizer, messages):
    made = tokenizer.apply_chat_template(messages, return_assistant_tokens_mask=True, return_dict=True)
    return made["input_ids"], made["assistant_masks"]


def text_example(tokenizer, text):
    ids = tokenizer(text)["input_ids"] + [tokenizer.eos_token_id]
    return ids, [1] * len(ids)


def place(stream, ids, mask):
    """The next piece of whole ids, in this row or the next."""
    if len(stream) % SEQ_LEN + len(ids) > SEQ_LEN:
        stream += [None] * (-len(stream) % SEQ_LEN)
    stream += [[i, m, int(at == 0)] for at, (i, m) in enumerate(zip(ids, mask))]


def pack(examples):
    """Rows of SEQ_LEN of [id, counts, begins], or None for padding; and what was lost."""
    stream, truncated, lost, dropped = [], 0, 0, 0
    for ids, mask in examples:
        whole = len(ids)
        ids, mask = ids[:SEQ_LEN], mask[:SEQ_LEN]
        if not any(mask[1:]):
            dropped += 1
            continue
        truncated += whole > SEQ_LEN
        lost += whole - len(ids)
        place(stream, ids, mask)
    stream += [None] * (-len(stream) % SEQ_LEN)
    return stream, {"truncated": truncated, "truncated_tokens": lost, "dropped": dropped}


def pack_isolated_texts(texts):
    stream = []
    for ids, mask in texts:
        for first in range(0, len(ids), SEQ_LEN):
            if len(ids) - first > 1:
                place(stream, ids[first : first + SEQ_LEN], mask[first : first + SEQ_LEN])
    return stream + [None] * (-len(stream) % SEQ_LEN)


def documents_of(stream):
    """The stretches that attention sees: cut at rows and at beginnings."""
    documents = []
    for first in range(0, len(stream) - SEQ_LEN + 1, SEQ_LEN):
        current = None
        for token in stream[first : first + SEQ_LEN]:
            if token is None:
                current = None
                continue
            if current is None or token[2]:
                current = []
                documents.append(current)
            current.append(token)
    return documents


def curve(stream, optimizer):
    """Losses of full-batch steps in f64; each document is computed alone."""
    model = LlamaForCausalLM.from_pretrained(HERE / "model", dtype=torch.float64, attn_implementation="eager")
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    if optimizer == "sgd":
        steps = torch.optim.SGD(model.parameters(), lr=0.05)
    else:
        groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
        steps = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.95), eps=1e-8)
    documents = [document for document in documents_of(stream) if len(document) > 1]
    losses, predictions = [], 0
    for _ in range(STEPS):
        total, predictions = 0, 0
        for document in documents:
            ids = torch.tensor([[token[0] for token in document]])
            labels = torch.tensor([token[0] if token[1] else -100 for token in document])[1:]
            logits = model(ids).logits[0, :-1]
            total = total + torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum")
            predictions += int((labels != -100).sum())
        loss = total / predictions
        losses.append(loss.item())
        steps.zero_grad()
        loss.backward()
        steps.step()
    return losses, predictions


def write_lines(name, objects):
    lines = [json.dumps(item, ensure_ascii=False) for item in objects]
    (HERE / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    (HERE / "model").mkdir(exist_ok=True)
    tokenizer = make_tokenizer()
    make_model(len(tokenizer))
    write_lines("completions.jsonl", COMPLETIONS)
    write_lines("messages.jsonl", [{"messages": messages} for messages in MESSAGES])
    write_lines("texts.jsonl", [{"text": text} for text in TEXTS])
    texts = [text_example(tokenizer, text) for text in TEXTS]
    cases = {
        "completions": pack([completion_example(tokenizer, example) for example in COMPLETIONS]),
        "messages": pack([chat_example(tokenizer, messages) for messages in MESSAGES]),
        "texts": ([[i, 1, 0] for ids, _ in texts for i in ids], {}),
        "texts_isolated": (pack_isolated_texts(texts), {}),
    }
    expected = {"seq_len": SEQ_LEN, "steps": STEPS, "cases": {}}
    for name, (stream, lost) in cases.items():
        losses = {optimizer: curve(stream, optimizer) for optimizer in ("sgd", "adamw")}
        expected["cases"][name] = {
            "tokens": stream,
            **lost,
            "predictions": losses["sgd"][1],
            "sgd": losses["sgd"][0],
            "adamw": losses["adamw"][0],
        }
    (HERE / "expected.json").write_text(json.dumps(expected) + "\n")


if __name__ == "__main__":
    main()
