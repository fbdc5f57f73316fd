/**
 * Answers in words, in a panel beside the code. A panel of our own rather than the Markdown preview: the preview loads
 * images, so an answer could carry text of the workspace to a server just by being shown.
 */

import * as vscode from "vscode";
import { page } from "./page";
import { fields, text } from "./protocol";
import { render } from "./render";
import type { Run, Runs } from "./runs";

const SCHEME = "assist-answer";
const REDRAW_MS = 60;

interface Panel {
  readonly view: vscode.WebviewPanel;
  drawing: NodeJS.Timeout | undefined;
}

export class Answers implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly panels = new Map<string, Panel>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    private readonly icon: vscode.Uri,
    private readonly runs: Runs,
    private readonly followUp: (run: Run) => Promise<void>,
  ) {
    this.subscriptions = [
      this.changed,
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      runs.onDidChange(({ run, event }) => {
        if (this.panels.has(run.id)) this.draw(run);
        // A run that changed nothing and said something answered a question; what was planned ends with a report.
        else if (event?.type === "completed" && run.intent !== undefined && (run.changedFiles.length === 0 || run.planned) && runs.answer(run) !== "") this.open(run);
      }),
    ];
  }

  /** Shows the answer of a run as it comes. */
  open(run: Run): void {
    const known = this.panels.get(run.id);
    if (known !== undefined) {
      known.view.reveal(undefined, true);
      return;
    }
    const view = vscode.window.createWebviewPanel(
      "assist.answer",
      `Assist: ${shorten(run.title, 40)}`,
      { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
      { enableScripts: true, localResourceRoots: [], enableFindWidget: true },
    );
    view.iconPath = this.icon;
    const panel: Panel = { view, drawing: undefined };
    this.panels.set(run.id, panel);
    view.onDidDispose(() => {
      clearTimeout(panel.drawing);
      this.panels.delete(run.id);
    });
    view.webview.onDidReceiveMessage((message: unknown) => void this.heard(run, message));
    view.webview.html = page(STYLE, BODY, SCRIPT);
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    const run = this.runs.get(uri.query);
    return run === undefined ? "" : `${this.runs.answer(run)}\n`;
  }

  dispose(): void {
    for (const { view } of this.panels.values()) view.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private draw(run: Run): void {
    const panel = this.panels.get(run.id);
    if (panel === undefined || panel.drawing !== undefined) return;
    panel.drawing = setTimeout(() => {
      panel.drawing = undefined;
      void panel.view.webview.postMessage({
        title: run.title,
        html: render(this.runs.answer(run)),
        working: run.standing === "working" || run.standing === "asking",
        foot: run.standing === "ended" ? (run.state === "done" || run.state === "approved" ? "" : run.summary || run.state) : run.message,
      });
      this.changed.fire(address(run));
    }, REDRAW_MS);
  }

  private async heard(run: Run, message: unknown): Promise<void> {
    const { kind, value } = fields(message);
    switch (kind) {
      case "ready":
        this.draw(run);
        break;
      case "copy":
        await vscode.env.clipboard.writeText(text(value) ?? this.runs.answer(run));
        break;
      case "more":
        await this.followUp(run);
        break;
      case "source": {
        const document = await vscode.workspace.openTextDocument(address(run));
        await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Active });
        break;
      }
    }
  }
}

function address(run: Run): vscode.Uri {
  const name = run.title.replace(/[^\p{L}\p{N} ._-]+/gu, " ").trim().slice(0, 60) || "answer";
  return vscode.Uri.from({ scheme: SCHEME, path: `/${name}.md`, query: run.id });
}

function shorten(words: string, most: number): string {
  const one = words.replace(/\s+/g, " ").trim();
  return one.length <= most ? one : `${one.slice(0, most - 1).trimEnd()}…`;
}

const BODY = `<header><h1 id="title"></h1><nav>
<button data-do="more">Ask more</button><button data-do="copy">Copy</button><button data-do="source">Open as text</button>
</nav></header>
<main id="answer" aria-live="polite"></main>
<footer id="foot" hidden></footer>`;

const STYLE = `
body { padding: 0 26px 40px; font-size: var(--vscode-font-size); line-height: 1.6; max-width: 78ch; }
header { display: flex; gap: 16px; align-items: baseline; justify-content: space-between; padding: 16px 0 10px;
  border-bottom: 1px solid var(--vscode-panel-border, var(--vscode-widget-border)); margin-bottom: 6px; }
h1 { font-size: 1.15em; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
main h1 { font-size: 1.3em; margin: 1em 0 .4em; } main h2 { font-size: 1.15em; } main h3 { font-size: 1.05em; }
nav { display: flex; gap: 4px; flex: none; }
button { font: inherit; color: var(--vscode-textLink-foreground); background: none; border: 0; border-radius: 4px; padding: 2px 7px; cursor: pointer; }
button:hover { background: var(--vscode-toolbar-hoverBackground); }
button:focus-visible { outline: 1px solid var(--vscode-focusBorder); }
pre { position: relative; padding: 12px 14px; overflow-x: auto; border-radius: 6px; background: var(--vscode-textCodeBlock-background); line-height: 1.45; }
code { font-family: var(--vscode-editor-font-family); font-size: .95em; }
:not(pre) > code { padding: 1px 4px; border-radius: 3px; background: var(--vscode-textCodeBlock-background); color: var(--vscode-textPreformat-foreground, inherit); }
pre code { background: none; color: var(--vscode-editor-foreground); }
pre button { position: absolute; top: 5px; right: 6px; opacity: 0; }
pre:hover button, pre button:focus-visible { opacity: 1; }
table { border-collapse: collapse; } th, td { padding: 4px 10px; border-bottom: 1px solid var(--vscode-panel-border, #8884); text-align: left; }
blockquote { margin: 0; padding: 0 1em; border-left: 3px solid var(--vscode-textBlockQuote-border); color: var(--vscode-descriptionForeground); }
a { color: var(--vscode-textLink-foreground); }
footer { margin-top: 14px; color: var(--vscode-descriptionForeground); }
footer.working::before { content: ""; display: inline-block; width: .7em; height: .7em; margin-right: .6em; border-radius: 50%;
  border: 2px solid var(--vscode-progressBar-background); border-top-color: transparent; animation: turn 1s linear infinite; }
@keyframes turn { to { transform: rotate(360deg); } }
@media (prefers-reduced-motion: reduce) { footer.working::before { animation: none; } }
.hljs-keyword, .hljs-literal, .hljs-built_in, .hljs-tag .hljs-name { color: var(--vscode-debugTokenExpression-boolean, var(--vscode-symbolIcon-keywordForeground)); }
.hljs-string, .hljs-regexp { color: var(--vscode-debugTokenExpression-string); }
.hljs-number { color: var(--vscode-debugTokenExpression-number); }
.hljs-comment { color: var(--vscode-descriptionForeground); font-style: italic; }
.hljs-title, .hljs-attr { color: var(--vscode-symbolIcon-functionForeground, inherit); }
.hljs-addition { color: var(--vscode-gitDecoration-addedResourceForeground); } .hljs-deletion { color: var(--vscode-gitDecoration-deletedResourceForeground); }
`;

const SCRIPT = `
const vscode = acquireVsCodeApi();
const find = (id) => document.getElementById(id);
document.addEventListener("click", ({ target }) => {
  const button = target.closest && target.closest("button");
  if (!button) return;
  if (button.dataset.do) vscode.postMessage({ kind: button.dataset.do });
  else vscode.postMessage({ kind: "copy", value: button.parentElement.querySelector("code").textContent });
});
addEventListener("message", ({ data }) => {
  const atEnd = innerHeight + scrollY >= document.body.scrollHeight - 40;
  find("title").textContent = data.title;
  find("answer").innerHTML = data.html;
  for (const block of document.querySelectorAll("pre")) {
    const copy = document.createElement("button");
    copy.textContent = "Copy";
    block.append(copy);
  }
  const foot = find("foot");
  foot.textContent = data.foot || (data.working ? "Thinking…" : "");
  foot.hidden = foot.textContent === "";
  foot.className = data.working ? "working" : "";
  if (atEnd && data.working) scrollTo(0, document.body.scrollHeight);
});
vscode.postMessage({ kind: "ready" });
`;
