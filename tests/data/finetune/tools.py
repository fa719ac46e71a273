#!/usr/bin/env python3
"""Makes tools.json beside it: conversations with tools, documents and further variables of the chat template, and the
ids and masks that transformers' apply_chat_template makes of them, with the tokenizer of model/.

  tools.py        (needs transformers)
"""

import json
from pathlib import Path

from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
TEMPLATE = """\
{{ bos_token }}
{%- if tools is not none %}<|user|>
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}<|end|>
{% endif %}
{%- for document in documents or [] %}{{ document.title }}: {{ document.text }}
{% endfor %}
{%- for message in messages %}
{%- if message.role == 'assistant' %}<|assistant|>
{% if enable_thinking is defined and not enable_thinking %}the answer
{% endif %}
{%- generation %}
{%- for call in message.tool_calls or [] %}{{ call.function.name }} {{ call.function.arguments | tojson }}
{%- endfor %}{{ message.content or '' }}<|end|>{% endgeneration %}
{% else %}<|user|>
{{ message.content }}<|end|>
{% endif %}
{%- endfor %}"""
TOOL = {"type": "function", "function": {"name": "add", "description": "two and two",
        "parameters": {"type": "object", "properties": {"a": {"type": "number", "minimum": -1.5}}, "required": ["a"]}}}  # fmt: skip
ASKED = {"role": "user", "content": "two and two?"}
FOUR = {"role": "assistant", "content": "four"}
CALL = {"role": "assistant", "content": None,
        "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": [True, None, 2.0]}}}]}  # fmt: skip
RESULT = {"role": "tool", "name": "add", "content": "4"}
EXAMPLES = [
    {"messages": [ASKED, FOUR], "tools": [TOOL]},
    {"messages": [ASKED, CALL, RESULT, FOUR], "tools": [TOOL, TOOL]},
    {"messages": [ASKED, FOUR], "tools": []},
    {"messages": [ASKED, FOUR], "tools": None},
    {"messages": [ASKED, FOUR], "documents": [{"title": "log", "text": "the dog \u00e9"}]},
    {"messages": [ASKED, FOUR], "chat_template_kwargs": {"enable_thinking": False}},
    {"messages": [ASKED, FOUR], "chat_template_kwargs": {"enable_thinking": True}, "tools": [TOOL]},
]


def main():
    model = HERE / "model"
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(model / "tokenizer.json"), bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    )
    tokens = []
    for example in EXAMPLES:
        made = tokenizer.apply_chat_template(
            example["messages"], tools=example.get("tools"), documents=example.get("documents"),
            return_assistant_tokens_mask=True, return_dict=True, **example.get("chat_template_kwargs", {}),
        )  # fmt: skip
        tokens.append([[i, m] for i, m in zip(made["input_ids"], made["assistant_masks"])])
    result = {"template": TEMPLATE, "examples": EXAMPLES, "tokens": tokens}
    (HERE / "tools.json").write_text(json.dumps(result, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
