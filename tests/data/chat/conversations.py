"""The conversations that every template is given."""

TOKENS = {"bos_token": "<begin>", "eos_token": "<end>"}

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "The weather \u2014 <now> & 'here'",
            "parameters": {
                "type": "object",
                "properties": {"place": {"type": "string"}, "days": {"type": "integer", "default": 1}},
                "required": ["place"],
            },
        },
    }
]


def _user(text):
    return {"role": "user", "content": text}


def _assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def _call(name, arguments):
    return {"type": "function", "id": "call_1", "function": {"name": name, "arguments": arguments}}


_SYSTEM = {"role": "system", "content": "  You are  helpful.\n"}
_TOOL = {"role": "tool", "content": "sunny, 21\u00b0", "name": "weather", "tool_call_id": "call_1"}

CONVERSATIONS = {
    "one": [_user("Hello")],
    "system": [_SYSTEM, _user("Hello")],
    "two": [_user(" Hello "), _assistant("Hi!\n"), _user("How are you?\n\nFine?")],
    "answered": [_SYSTEM, _user("Hello"), _assistant(" Hi! "), _user("Bye"), _assistant("Bye.")],
    "reasoning": [_user("1+1?"), _assistant("<think>\nwell\n</think>\n\n2"), _user("sure?"), _assistant("<think>yes</think>")],
    "fields": [_user("1+1?"), _assistant("2", reasoning_content="well"), _user("sure?")],
    "unicode": [_user("\u4f60\u597d \U0001f600 \u00fcber \u2028 <b>&amp;</b>"), _assistant("\u043f\u0440\u0438\u0432\u0435\u0442")],
    "call": [
        _user("Weather?"),
        _assistant(None, tool_calls=[_call("weather", '{"place": "Rome"}')]),
        _TOOL,
        _assistant("It is sunny."),
        _user("Thanks"),
    ],
    "calls": [
        _SYSTEM,
        _user("Weather?"),
        _assistant("Let me see.", tool_calls=[_call("weather", {"place": "Rome"}), _call("weather", {"place": "\u00d6rebro"})]),
        _TOOL,
        _TOOL,
    ],
    "assistant first": [_assistant("Hello"), _user("Hi")],
    "twice": [_user("a"), _user("b")],
    "empty": [],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "Look"}, {"type": "image"}]}],
    "strange": [{"role": "narrator", "content": "Once"}, {"content": "no role"}],
}
