/**
 * The plan card: what Assist would do, step by step, before it does anything. Each step can be left out; the plan can be confirmed,
 * changed in words, or declined. A card that is closed leaves its question open: the status bar brings it back.
 */

import * as vscode from "vscode";
import { page } from "./page";
import { fields, text } from "./protocol";
import { render, renderInline } from "./render";
import type { Box, Question, Run } from "./runs";

/** Sends a command about a run to the server. */
export type Send = (
  command: string,
  argument: { runId: string; text?: string; steps?: number[] } & Partial<Record<Box["what"], boolean>>,
) => Promise<unknown>;

export class Plans implements vscode.Disposable {
  private readonly panels = new Map<string, vscode.WebviewPanel>();

  constructor(
    private readonly icon: vscode.Uri,
    private readonly send: Send,
  ) {}

  show(run: Run, question: Question): void {
    const known = this.panels.get(run.id);
    if (known !== undefined) {
      known.reveal(undefined, true);
      return;
    }
    const view = vscode.window.createWebviewPanel(
      "assist.plan",
      "Assist: Plan",
      { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
      // What was ticked and typed outlives a look at another tab.
      { enableScripts: true, localResourceRoots: [], enableFindWidget: true, retainContextWhenHidden: true },
    );
    view.iconPath = this.icon;
    this.panels.set(run.id, view);
    view.onDidDispose(() => {
      if (this.panels.get(run.id) === view) this.panels.delete(run.id);
    });
    view.webview.onDidReceiveMessage((message: unknown) => void this.heard(run, question, view, message));
    view.webview.html = page(STYLE, BODY, SCRIPT);
  }

  /** The question is answered: the card is of no more use. */
  hide(run: Run): void {
    this.panels.get(run.id)?.dispose();
  }

  dispose(): void {
    for (const view of this.panels.values()) view.dispose();
  }

  private async heard(run: Run, question: Question, view: vscode.WebviewPanel, message: unknown): Promise<void> {
    const { kind, value, ticked } = fields(message);
    const runId = run.id;
    switch (kind) {
      case "ready":
        await view.webview.postMessage({
          wish: run.title,
          // What the boxes say is not said again below them.
          html: render((question.detail ?? question.text).replace(/^- \[ \] .*$/gm, "")),
          boxes: question.boxes.map((box) => ({ ...box, label: renderInline(box.label) })),
          yes: question.choices[0] ?? "Start",
          no: question.choices.at(-1) ?? "Not now",
        });
        break;
      case "start": {
        const steps = Array.isArray(value) ? value.filter((step): step is number => typeof step === "number") : [];
        const some = steps.length < question.steps ? { steps } : {};
        const wanted = Array.isArray(ticked) ? ticked : [];
        const boxes = question.boxes.filter((box) => wanted.includes(box.what)).map((box) => [box.what, true] as const);
        await this.send("assist.confirm", { runId, ...some, ...Object.fromEntries(boxes) });
        break;
      }
      case "change": {
        const words = text(value);
        if (words !== undefined) await this.send("assist.answer", { runId, text: words });
        break;
      }
      case "no":
        await this.send("assist.decline", { runId });
        break;
    }
  }
}

// The buttons are above the plan and stay there: VS Code's messages cover the lower right corner, and a plan may be long.
const BODY = `<header><span class="eyebrow">Plan</span><h1 id="wish"></h1>
<div id="answers" class="row">
<button class="primary" id="start" data-do="start"></button>
<button data-do="change">Change…</button>
<button id="no" data-do="no"></button>
</div>
<fieldset id="boxes" hidden><legend>When it is done</legend></fieldset>
<form id="change" hidden>
<label for="words">What should be different?</label>
<textarea id="words" rows="3" placeholder="Leave the trial as it is; put the button at the top…"></textarea>
<div class="row"><button class="primary" type="submit">Send</button><button type="button" data-do="back">Back</button></div>
</form></header>
<main id="plan"></main>`;

const STYLE = `
body { overflow-wrap: anywhere; padding: 0 28px 32px; font-size: var(--vscode-font-size); line-height: 1.55; max-width: 72ch; }
header { position: sticky; top: 0; z-index: 1; padding: 20px 0 14px; background: var(--vscode-editor-background); border-bottom: 1px solid var(--vscode-panel-border, var(--vscode-widget-border)); }
.eyebrow { color: var(--vscode-descriptionForeground); font-size: .85em; letter-spacing: .06em; text-transform: uppercase; }
h1 { font-size: 1.3em; font-weight: 600; margin: 2px 0 0; overflow-wrap: anywhere; }
main > p { margin: 14px 0; }
main > p:first-child { font-size: 1.08em; }
ol { list-style: none; padding: 0; margin: 14px 0; counter-reset: step; }
ol > li { position: relative; padding: 10px 12px 10px 74px; margin: 0 0 8px; border-radius: 6px; counter-increment: step;
  background: var(--vscode-textCodeBlock-background); transition: opacity .12s; }
ol > li::before { content: counter(step); position: absolute; left: 42px; top: 10px; width: 1.55em; height: 1.55em; border-radius: 50%;
  text-align: center; font-weight: 600; font-size: .95em; line-height: 1.55em;
  color: var(--vscode-badge-foreground); background: var(--vscode-badge-background); }
ol > li > input { position: absolute; left: 12px; top: 12px; width: 16px; height: 16px; margin: 0; cursor: pointer; accent-color: var(--vscode-button-background); }
ol > li.out { opacity: .5; }
ol > li.out > strong { text-decoration: line-through; }
ol > li > p { margin: 0; }
ol ul { list-style: none; margin: 4px 0 0; padding: 0; color: var(--vscode-descriptionForeground); font-size: .94em; overflow-wrap: anywhere; }
code { font-family: var(--vscode-editor-font-family); font-size: .93em; padding: 1px 4px; border-radius: 3px;
  background: var(--vscode-editor-background); color: var(--vscode-textPreformat-foreground, inherit); }
.row { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
#answers { margin-top: 14px; }
#answers[hidden], form[hidden], fieldset[hidden] { display: none; }
fieldset { margin: 12px 0 0; padding: 0; border: 0; min-width: 0; }
legend { float: left; width: 100%; margin-bottom: 4px; padding: 0; color: var(--vscode-descriptionForeground); font-size: .85em; letter-spacing: .06em; text-transform: uppercase; }
fieldset > label { clear: left; display: grid; grid-template-columns: 16px 1fr; gap: 8px; align-items: start; margin: 0 0 4px; cursor: pointer; overflow-wrap: anywhere; }
fieldset input { width: 16px; height: 16px; margin: .2em 0 0; cursor: pointer; accent-color: var(--vscode-button-background); }
fieldset code { background: var(--vscode-textCodeBlock-background); }
button { font: inherit; padding: 5px 14px; border-radius: 4px; cursor: pointer; border: 1px solid var(--vscode-button-border, transparent);
  color: var(--vscode-button-secondaryForeground); background: var(--vscode-button-secondaryBackground); }
button:hover { background: var(--vscode-button-secondaryHoverBackground); }
button.primary { color: var(--vscode-button-foreground); background: var(--vscode-button-background); }
button.primary:hover { background: var(--vscode-button-hoverBackground); }
button:disabled { opacity: .5; cursor: default; }
button:focus-visible, input:focus-visible, textarea:focus-visible { outline: 1px solid var(--vscode-focusBorder); outline-offset: 1px; }
/* In a narrow or low view the head would leave no room for the plan: it goes along with it. */
@media (max-width: 420px), (max-height: 480px) {
  body { padding: 0 14px 24px; }
  header { position: static; }
  ol > li { padding-left: 40px; }
  ol > li::before { display: none; }
}
form { margin-top: 14px; }
label { display: block; margin-bottom: 6px; }
textarea { box-sizing: border-box; width: 100%; margin-bottom: 10px; padding: 6px 8px; font: inherit; resize: vertical; border-radius: 4px;
  color: var(--vscode-input-foreground); background: var(--vscode-input-background); border: 1px solid var(--vscode-input-border, var(--vscode-panel-border)); }
`;

const SCRIPT = `
const vscode = acquireVsCodeApi();
const find = (id) => document.getElementById(id);
let yes = "Start";
const ticks = () => [...document.querySelectorAll("#boxes input")];
const ticked = () => ticks().flatMap((box) => (box.checked ? [box.value] : []));
const boxes = () => [...document.querySelectorAll("ol > li > input")];
const chosen = () => boxes().flatMap((box, index) => (box.checked ? [index + 1] : []));
function count() {
  const all = boxes().length, some = chosen().length;
  const part = some === all ? "" : " with " + some + " of " + all + " steps";
  find("start").textContent = yes + part;
  find("start").disabled = all > 0 && some === 0;
  for (const box of boxes()) box.parentElement.classList.toggle("out", !box.checked);
}
// What something builds on is ticked with it, and what builds on it goes with it.
function tick(box, on) {
  box.checked = on;
  for (const other of ticks()) {
    if (on && other.value === box.dataset.needs) tick(other, true);
    if (!on && other.dataset.needs === box.value) tick(other, false);
  }
}
function changing(on) {
  find("change").hidden = !on;
  find("answers").hidden = on;
  find("boxes").hidden = on || ticks().length === 0;
  if (on) find("words").focus();
}
document.addEventListener("click", ({ target }) => {
  const what = target.closest && target.closest("[data-do]") && target.closest("[data-do]").dataset.do;
  if (what === "start") vscode.postMessage({ kind: what, value: chosen(), ticked: ticked() });
  else if (what === "no") vscode.postMessage({ kind: "no" });
  else if (what === "change" || what === "back") changing(what === "change");
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") changing(false);
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !find("change").hidden) find("change").requestSubmit();
});
find("change").addEventListener("submit", (event) => {
  event.preventDefault();
  const words = find("words").value.trim();
  if (words !== "") vscode.postMessage({ kind: "change", value: words });
});
addEventListener("message", ({ data }) => {
  yes = data.yes;
  find("no").textContent = data.no;
  find("wish").textContent = data.wish;
  find("plan").innerHTML = data.html;
  for (const { what, label, needs } of data.boxes) {
    const line = find("boxes").appendChild(document.createElement("label"));
    const box = line.appendChild(document.createElement("input"));
    Object.assign(box, { type: "checkbox", value: what });
    box.dataset.needs = needs || "";
    box.addEventListener("change", () => tick(box, box.checked));
    line.appendChild(document.createElement("span")).innerHTML = label;
  }
  find("boxes").hidden = data.boxes.length === 0;
  for (const [index, item] of [...document.querySelectorAll("#plan > ol > li")].entries()) {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    const title = item.querySelector("strong");
    box.setAttribute("aria-label", "Step " + (index + 1) + (title ? ": " + title.textContent : ""));
    box.addEventListener("change", count);
    item.prepend(box);
  }
  count();
});
vscode.postMessage({ kind: "ready" });
`;
