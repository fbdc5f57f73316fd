/** Asking: what the editor shows becomes the argument of `assist.ask`, and refusals become something one can do. */

import { basename } from "node:path";
import * as vscode from "vscode";
import type { Answers } from "./answers";
import type { Keys } from "./keys";
import type { PromptBox } from "./prompt";
import { type AskParams, type Intent, type LspRange, fields, needsPrompt, readRefusal, sentence, text } from "./protocol";
import type { Run, Runs } from "./runs";
import type { Session } from "./session";

const SCHEMES = ["file", "untitled"];

const TITLES: Record<Intent, string> = {
  ask: "Ask Assist",
  rewrite: "Assist: Rewrite",
  fix: "Assist: Fix",
  explain: "Assist: Explain",
  test: "Assist: Add tests",
  document: "Assist: Document",
  build: "Build with Assist",
};

const PLACEHOLDERS: Partial<Record<Intent, string>> = {
  rewrite: "How should this be rewritten?",
  build: "What should be built?",
};

export class Asker {
  constructor(
    private readonly session: Session,
    private readonly runs: Runs,
    private readonly prompts: PromptBox,
    private readonly answers: Answers,
    private readonly keys: Keys,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** Asks about what the active editor shows. */
  async fromEditor(intent: Intent, prompt?: string): Promise<void> {
    if (!(await this.session.ready())) return;
    const editor = vscode.window.activeTextEditor;
    const usable = editor !== undefined && SCHEMES.includes(editor.document.uri.scheme) ? editor : undefined;
    if (usable === undefined && intent !== "ask" && intent !== "build") {
      void vscode.window.showInformationMessage(`${TITLES[intent]} works on a file. Open one first.`);
      return;
    }
    const params: AskParams = usable === undefined ? { intent } : this.about(usable, intent);
    if (prompt !== undefined) params.prompt = prompt;
    await this.ask(params);
  }

  /** Asks about all of the workspace, whatever is open. */
  async talk(): Promise<void> {
    if (await this.session.ready()) await this.ask({ intent: "ask" });
  }

  /** Continues a conversation. */
  async followUp(run: Run): Promise<void> {
    if (!(await this.session.ready())) return;
    const params: AskParams = { intent: "ask" };
    if (run.conversationId !== undefined) params.conversationId = run.conversationId;
    await this.ask(params, `About the answer to: ${run.title}`);
  }

  /** Asks what is missing from `params`, then sends them. */
  async ask(params: AskParams, about = this.describe(params)): Promise<void> {
    let sent = params;
    if (needsPrompt(params)) {
      const prompt = await this.prompts.ask({
        title: TITLES[params.intent],
        placeholder: PLACEHOLDERS[params.intent] ?? "What should be done, or what would you like to know?",
        about,
      });
      if (prompt === undefined) return;
      sent = { ...params, prompt };
    }
    await this.send(sent, about);
  }

  private async send(params: AskParams, about: string): Promise<void> {
    try {
      const result = fields(await this.session.command("assist.ask", params));
      const runId = text(result.runId);
      if (runId === undefined) throw new Error("The server's answer to assist.ask names no run.");
      const title = params.prompt ?? `${TITLES[params.intent].replace("Assist: ", "")} ${about}`;
      const run = this.runs.begin(runId, title, params.intent, text(result.conversationId));
      if (params.intent === "explain") this.answers.open(run);
    } catch (error) {
      await this.refused(params, about, error);
    }
  }

  private async refused(params: AskParams, about: string, error: unknown): Promise<void> {
    const refusal = readRefusal(error);
    this.log.warn(`assist.ask was refused (${refusal.kind || "no kind"}): ${sentence(refusal)}`);
    switch (refusal.kind) {
      case "no_provider":
        void this.session.refreshStatus();
        if (await this.keys.offer(refusal)) await this.send(params, about);
        return;
      case "prompt_needed": {
        // The server looked for an `assist:` comment and found none.
        const { prompt: _, ...without } = params;
        if (needsPrompt(without)) await this.ask(without, about);
        else void vscode.window.showErrorMessage(sentence(refusal));
        return;
      }
      default: {
        const log = "Show Log";
        const chosen = await vscode.window.showErrorMessage(sentence(refusal), log);
        if (chosen === log) this.log.show(true);
      }
    }
  }

  private about(editor: vscode.TextEditor, intent: Intent): AskParams {
    const { document, selection } = editor;
    const params: AskParams = { intent, uri: document.uri.toString(), version: document.version };
    const converter = this.session.converters?.code2ProtocolConverter;
    if (converter === undefined) return params;
    // What is built is no change of what happens to be selected.
    if (!selection.isEmpty && intent !== "build") params.range = converter.asRange(selection);
    if (intent === "fix") {
      const near = selection.isEmpty ? document.lineAt(selection.active.line).range : selection;
      const found = vscode.languages
        .getDiagnostics(document.uri)
        .filter(({ range, severity }) => severity <= vscode.DiagnosticSeverity.Warning && range.intersection(near) !== undefined);
      if (found.length > 0) params.diagnostics = found.map((diagnostic) => converter.asDiagnostic(diagnostic));
    }
    return params;
  }

  /** What the parameters are about, in words. */
  private describe(params: AskParams): string {
    if (params.uri === undefined) return "this workspace";
    const uri = vscode.Uri.parse(params.uri);
    const name = basename(uri.path) || uri.path;
    // What is to be fixed where nothing is selected is around the diagnostic.
    const range = params.range ?? (fields(params.diagnostics?.[0]).range as LspRange | undefined);
    if (range === undefined) return `all of ${name}`;
    const { start, end } = range;
    const last = end.character === 0 && end.line > start.line ? end.line : end.line + 1;
    return last === start.line + 1 ? `${name}, line ${last}` : `${name}, lines ${start.line + 1}–${last}`;
  }
}
