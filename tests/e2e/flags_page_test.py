"""The tables of docs/cli.md say what --help says: the same flags, choices and defaults."""

import re

import frame

PAGE = (frame.ROOT / "docs/cli.md").read_text(encoding="utf-8")


def section(title):
    """The text under a heading, up to the next one."""
    return re.search(rf"(?ms)^#+ {re.escape(title)}$(.*?)(?=^#+ |\Z)", PAGE)[1]


def documented(title):
    """Of a section's table: flag -> (choices, default as the page has it, where it has one for each flag)."""
    flags = {}
    for row in re.findall(r"(?m)^\| (.*) \|$", section(title)):
        cells = re.split(r" ?(?<!\\)\| ?", row)
        spelled = re.findall(r"`(--[a-z0-9-]+)([^`]*)`", cells[0])
        defaults = [value.strip("` ") for value in cells[1].split(", ")] if len(cells) > 2 else []
        for place, (name, rest) in enumerate(spelled):
            choices = rest.strip().split("\\|") if "\\|" in rest else []
            flags[name] = (choices, defaults[place] if len(defaults) == len(spelled) else "")
    return flags


def number_or_text(value):
    try:
        return float(value)
    except ValueError:
        return value


class FlagsPage(frame.CommandTest):
    def declared(self, verb):
        """Of --help: flag -> (choices, default)."""
        text = self.headroom(verb, "--help").stdout
        lines = re.findall(r"(?m)^  (?:-\w,)?(--[a-z][a-z0-9-]*)(?: ([A-Z]+)(?::\{(.*?)\})?(?:=(\S*))?)?", text)
        return {
            name: (choices.split(",") if choices else [], default.replace("[]", ""))
            for name, _, choices, default in lines
        }

    def test_train(self):
        page = documented("train")
        common = documented("Flags of every verb that runs")
        declared = self.declared("train")
        self.assertEqual(set(declared) - set(common) - {"--help"}, set(page))
        for name, (choices, default) in declared.items():
            if name not in page:
                continue
            page_choices, page_default = page[name]
            if choices:
                self.assertEqual(page_choices, choices, name)
            if default and page_default and " " not in page_default:
                self.assertEqual(number_or_text(page_default), number_or_text(default), name)

    def test_other_verbs_name_no_flag_that_is_not_there(self):
        common = documented("Flags of every verb that runs")
        for verb in ("plan", "generate", "convert", "quantize", "eval", "tokenize", "inspect"):
            self.assertEqual(set(documented(verb)) - set(self.declared(verb)) - set(common), set(), verb)


if __name__ == "__main__":
    frame.main()
