#!/usr/bin/env python3
"""The preprocessor of the book: it adds what has its home elsewhere in the repository.

* Below the chapter `rules.md`, a page for every rule: its own `.md` beside its code.
* For `{{schema FILE}}` on a line of its own, tables of the keys that a JSON Schema (relative to this folder) allows.

mdBook runs it in the folder of book.toml, gives it `[context, book]` as JSON and takes the book back (mdBook guide, "Preprocessors").
"""

import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
RULES = HERE.parent / "crates/gilaudit-rules/src/rules"


def type_of(schema):
    """What a value may be, in Markdown: `text`, [Action](#action), list of …, `a` or `b`."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(type_of(option) for option in schema[key] if option.get("type") != "null")
    kinds = schema.get("type", "anything")
    kinds = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
    if kinds == ["array"]:
        return f"list of {type_of(schema.get('items', {}))}"
    if kinds == ["object"] and isinstance(schema.get("additionalProperties"), dict):
        return f"names to {type_of(schema['additionalProperties'])}"
    return " or ".join({"string": "text", "object": "table"}.get(kind, kind) for kind in kinds)


def cell(text):
    """Text that a table can hold."""
    return re.sub(r"(?<!`)<", "&lt;", " ".join(text.split())).replace("|", "\\|")


def table(schema):
    """The keys of an object, or the values of a choice."""
    if "properties" in schema:
        required = schema.get("required", [])
        yield "| key | value | meaning |"
        yield "| --- | --- | --- |"
        for name, value in schema["properties"].items():
            needed = "" if name in required or not required else " (optional)"
            yield f"| `{name}` | {type_of(value)}{needed} | {cell(value.get('description', ''))} |"
    else:
        for option in schema.get("oneOf", schema.get("anyOf", [])):
            yield f"* {type_of(option)}: {cell(option.get('description', ''))}"


def reference(path):
    """A schema as Markdown: its own keys, then every definition under a heading."""
    schema = json.loads((HERE / path).read_text(encoding="utf-8"))
    yield from table(schema)
    for name, definition in schema.get("$defs", {}).items():
        yield from ("", f"### {name}", "", cell(definition.get("description", "")), "")
        yield from table(definition)


def with_references(content):
    """The text of a chapter with its `{{schema FILE}}` lines replaced."""
    return re.sub(r"^\{\{schema (\S+)\}\}$", lambda match: "\n".join(reference(match[1])), content, flags=re.MULTILINE)


def rule_pages(parent):
    """A chapter for every rule, below the chapter `parent`."""
    for index, path in enumerate(sorted(RULES.glob("*.md"))):
        name = path.stem.replace("_", "-")
        yield {
            "Chapter": {
                "name": name,
                "content": path.read_text(encoding="utf-8"),
                "number": [*(parent["number"] or []), index + 1],
                "sub_items": [],
                "path": f"rules/{name}.md",
                "source_path": None,
                "parent_names": [*parent["parent_names"], parent["name"]],
            }
        }


def extend(items):
    for item in items:
        chapter = item.get("Chapter") if isinstance(item, dict) else None
        if chapter is None:
            continue
        chapter["content"] = with_references(chapter["content"])
        extend(chapter["sub_items"])
        if chapter["path"] == "rules.md":
            pages = list(rule_pages(chapter))
            # In the repository the tables lead to where the pages are, in the book to its own.
            chapter["content"] = re.sub(
                r"\]\(\.\./crates/gilaudit-rules/src/rules/(\w+)\.md\)", lambda match: f"](rules/{match[1].replace('_', '-')}.md)", chapter["content"]
            )
            chapter["sub_items"] += pages


def main():
    if sys.argv[1:2] == ["supports"]:
        return  # every renderer
    _context, book = json.load(sys.stdin)
    # mdBook 0.5 calls the list of chapters `items`, 0.4 `sections`.
    extend(book["items"] if "items" in book else book["sections"])
    json.dump(book, sys.stdout)


if __name__ == "__main__":
    main()
