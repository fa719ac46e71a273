#!/usr/bin/env python3
"""Writes chats.json and expressions.json: what transformers and jinja2 make of chat templates.

  python3 tests/data/chat/make_chat.py          # needs transformers and jinja2

chats.json: each template of this folder with each conversation, rendered by transformers' own function. expressions.json:
small templates, each in transformers' environment; null where it fails. Nothing is random.
"""

import json
from pathlib import Path

import jinja2
from transformers.utils import chat_template_utils

from conversations import CONVERSATIONS, TOKENS, TOOLS
from context import CONTEXT
from expressions import EXPRESSIONS
from statements import STATEMENTS

HERE = Path(__file__).resolve().parent


def render(source, messages, add_generation_prompt, tools, variables):
    """The text, what stood in {% generation %} blocks, or None and None where the template refuses."""
    try:
        texts, indices = chat_template_utils.render_jinja_template(
            conversations=[messages],
            tools=tools,
            chat_template=source,
            add_generation_prompt=add_generation_prompt,
            return_assistant_tokens_mask="generation" in source,
            **variables,
        )
    except (jinja2.exceptions.TemplateError, TypeError, ValueError, KeyError) as error:
        return {"error": str(error)}
    spans = indices[0] if "generation" in source else []
    return {"text": texts[0], "generated": [texts[0][begin:end] for begin, end in spans]}


def chats():
    """Every template with every conversation, both with and without a generation prompt."""
    result = []
    for path in sorted(HERE.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        for name, messages in CONVERSATIONS.items():
            for prompt in (False, True):
                for with_tools in (False, True):
                    if with_tools and "tools" not in source:
                        continue
                    case = {"template": path.name, "conversation": name, "prompt": prompt, "tools": with_tools}
                    case.update(render(source, messages, prompt, TOOLS if with_tools else None, TOKENS))
                    result.append(case)
                if "thinking" in source:  # which chooses how an answer begins
                    case = {"template": path.name, "conversation": name, "prompt": prompt, "tools": False}
                    case["variables"] = {"thinking": True}
                    result.append(case | render(source, messages, prompt, None, TOKENS | case["variables"]))
    return {"tokens": TOKENS, "tools": TOOLS, "conversations": CONVERSATIONS, "chats": result}


def expressions():
    """[template, text or null] of each."""
    result = []
    for source in dict.fromkeys([*EXPRESSIONS, *STATEMENTS]):
        try:
            text = chat_template_utils._compile_jinja_template(source).render(**CONTEXT)
        except Exception as error:  # whatever Python raises in a template is a refusal
            print(f"{source!r}: {type(error).__name__}: {error}")
            text = None
        result.append([source, text])
    return {"context": CONTEXT, "expressions": result}


def main():
    """Writes both files."""
    for name, content in (("chats.json", chats()), ("expressions.json", expressions())):
        (HERE / name).write_text(json.dumps(content, ensure_ascii=True, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
