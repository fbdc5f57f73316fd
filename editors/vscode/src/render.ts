/**
 * Markdown that a model wrote, as HTML that is safe to show: no raw HTML, no images (an address in an answer must never
 * be fetched just by showing it), links only where a click is needed. Pure.
 */

import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import MarkdownIt from "markdown-it";

hljs.registerLanguage("typescript", typescript);
hljs.registerAliases(["javascript", "js", "jsx"], { languageName: "typescript" });
hljs.registerLanguage("python", python);
hljs.registerLanguage("rust", rust);
hljs.registerLanguage("go", go);
hljs.registerLanguage("json", json);
hljs.registerLanguage("css", css);
hljs.registerLanguage("xml", xml);
hljs.registerLanguage("bash", bash);
hljs.registerLanguage("diff", diff);

const markdown: MarkdownIt = new MarkdownIt({
  html: false,
  linkify: false,
  typographer: false,
  highlight: (code, language) =>
    hljs.getLanguage(language) === undefined ? "" : hljs.highlight(code, { language, ignoreIllegals: true }).value,
});

markdown.validateLink = (address) => /^(https?|mailto):/i.test(address);
markdown.renderer.rules.image = (tokens, index) => {
  const token = tokens[index];
  return markdown.utils.escapeHtml(`[image: ${token?.content || token?.attrGet("src") || ""}]`);
};

export function render(text: string): string {
  return markdown.render(text);
}

/** One line of it, without a paragraph around. */
export function renderInline(text: string): string {
  return markdown.renderInline(text);
}
