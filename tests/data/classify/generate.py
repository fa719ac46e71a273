#!/usr/bin/env python3
"""Makes the files beside it: two tiny random classifiers, texts with labels, and what transformers makes of them in
float64: logits, loss and accuracy of the texts, gradients, and the losses of twenty full-batch steps.

  generate.py        (needs torch, transformers, safetensors and tokenizers; the seeds are below. Made with torch
                      2.15.0, transformers 5.24.0, tokenizers 0.23.3)

  llama, qwen2       model directories; three labels and two; llama's end token is its padding, too
  data.jsonl         texts with the labels of llama, by number and by name; qwen2 takes label % 2 of them (qwen2.jsonl)
  NAME/expected.json ids of each text, logits (in the order of data.jsonl), loss, accuracy, curve
  NAME/gradients.safetensors   of the loss, by name, f32
"""

import json
import sys
from pathlib import Path

import safetensors.torch
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForSequenceClassification,
)

HERE = Path(__file__).resolve().parent
SEQ_LEN = 24
STEPS = 20
LABELS = ["animal", "place", "number"]
TEXTS = [
    ("the cat sat on the mat and the dog sat on the log", 0),
    ("the capital of the land is the town by the sea", "place"),
    ("two and two is four", 2),
    ("a dog", "animal"),
    ("take one and three are left " * 6, "number"),
    ("by the sea", 1),
    ("the cat and the dog</s>", 0),
    ("four take two\n\n\u00e9\u4f60\u597d", 2),
    ("the town</s></s>", "place"),
    ("x", 0),
    ("</s>", "place"),
    ("one, two, three: four", "number"),
]
CORPUS = [text for text, _ in TEXTS] * 8


def make_tokenizer(folder):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=290, special_tokens=[], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ("<s>", "</s>")])
    begin = tokenizer.token_to_id("<s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", begin)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    fields = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(fields, indent=1) + "\n")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **fields, padding_side="right")


def make_model(folder, kind, config_kind, labels, tokenizer):
    config = config_kind(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=64, rms_norm_eps=1e-5, initializer_range=0.3,
        tie_word_embeddings=False, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, id2label=dict(enumerate(labels)),
        label2id={name: number for number, name in enumerate(labels)}, dtype="float32",
    )  # fmt: skip
    kind(config).save_pretrained(folder)


def numbered(label, labels):
    return label if isinstance(label, int) else labels.index(label)


def batch_of(tokenizer, rows):
    batch = tokenizer([text for text, _ in rows], padding=True, truncation=True, max_length=SEQ_LEN,
                      return_tensors="pt")  # fmt: skip
    return {"input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}


def open_model(folder):
    return AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float64, attn_implementation="eager")


def curve(folder, batch, labels):
    """Losses of full-batch AdamW steps, each before its update."""
    model = open_model(folder)
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.005, betas=(0.9, 0.95), eps=1e-8)
    losses = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = model(**batch, labels=labels).loss
        loss.backward()
        losses.append(loss.item())
        optimizer.step()
    return losses


def write_case(name, kind, config_kind, names, rows):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    torch.manual_seed(11)
    tokenizer = make_tokenizer(folder)
    make_model(folder, kind, config_kind, names, tokenizer)
    batch = batch_of(tokenizer, rows)
    labels = torch.tensor([numbered(label, names) for _, label in rows])
    model = open_model(folder)
    answer = model(**batch, labels=labels)
    answer.loss.backward()
    gradients = {key: parameter.grad.float() for key, parameter in model.named_parameters()}
    weights = dict(model.named_parameters())
    # One SGD step at lr 1 rounds w - g once.
    noise = max(((weights[key] - g).abs().max() * 2.0**-24 / g.abs().max()).item() for key, g in gradients.items())
    safetensors.torch.save_file(gradients, folder / "gradients.safetensors")
    expected = {
        "seq_len": SEQ_LEN,
        "ids": [tokenizer(text, truncation=True, max_length=SEQ_LEN)["input_ids"] for text, _ in rows],
        "labels": labels.tolist(),
        "logits": answer.logits.tolist(),
        "loss": answer.loss.item(),
        "accuracy": (answer.logits.argmax(-1) == labels).double().mean().item(),
        "curve": curve(folder, batch, labels),
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    print(f"{name}: loss {expected['loss']:.4f}, accuracy {expected['accuracy']:.3f}, curve {expected['curve'][0]:.4f} "
          f"-> {expected['curve'][-1]:.4f}, rounding of a step {noise:.1e} of the largest gradient")  # fmt: skip


def write_lines(name, rows):
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in rows]
    (HERE / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    if len(sys.argv) > 1:
        sys.exit(__doc__)
    two = [(text, numbered(label, LABELS) % 2) for text, label in TEXTS]
    write_lines("data.jsonl", TEXTS)
    write_lines("qwen2.jsonl", two)
    write_case("llama", LlamaForSequenceClassification, LlamaConfig, LABELS, TEXTS)
    write_case("qwen2", Qwen2ForSequenceClassification, Qwen2Config, ["LABEL_0", "LABEL_1"], two)


if __name__ == "__main__":
    main()
