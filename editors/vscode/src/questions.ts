/**
 * A run's questions. Those with choices come as a message that the server asks for by plain LSP; this file shows what they are about
 * in full beside the code, and asks those that want words.
 */

import * as vscode from "vscode";
import { Plans, type Send } from "./plans";
import type { Question, Run, Runs } from "./runs";

const SCHEME = "assist-question";

export class Questions implements vscode.TextDocumentContentProvider, vscode.Disposable {
  /** The details on show, by run. */
  private readonly shown = new Map<string, Question>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly plans: Plans;
  private readonly subscriptions: vscode.Disposable[];

  constructor(
    icon: vscode.Uri,
    runs: Runs,
    private readonly send: Send,
  ) {
    this.plans = new Plans(icon, send);
    this.subscriptions = [
      this.plans,
      this.changed,
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      runs.onDidChange(({ run, event, caughtUp }) => {
        // What is told again was answered long ago; only the question that is open at its end counts.
        const asks = run.replaying === undefined && (event?.type === "approval_requested" || caughtUp === true);
        if (asks && run.question !== undefined) void this.asked(run, run.question);
        else if (run.question === undefined) void this.hide(run);
      }),
    ];
  }

  /** What can be answered, and what each answer does. */
  answers(run: Run): { label: string; act: () => unknown }[] {
    const { question, id } = run;
    if (question === undefined) return [];
    if (question.choices.length === 0) return [{ label: "Answer…", act: () => this.words(run, question) }];
    const plan =
      question.steps > 0
        ? [
            { label: "Show the Plan", act: () => this.plans.show(run, question) },
            { label: "Change the Plan…", act: () => this.words(run, { ...question, text: "What should be different?" }) },
          ]
        : [];
    const choices = question.choices.map((label, index) => ({
      label,
      act: () => {
        if (index === 0) return this.send("assist.confirm", { runId: id });
        if (index === question.choices.length - 1) return this.send("assist.decline", { runId: id });
        return this.send("assist.answer", { runId: id, text: label });
      },
    }));
    return [...choices.slice(0, 1), ...plan, ...choices.slice(1)];
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    const question = this.shown.get(uri.query);
    return question?.detail === undefined ? "" : `# ${question.text}\n\n${question.detail.trim()}\n`;
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private async asked(run: Run, question: Question): Promise<void> {
    if (question.steps > 0) this.plans.show(run, question);
    else if (question.detail !== undefined) await this.show(run, question);
    if (question.choices.length === 0) await this.words(run, question);
    // The process that works on it asks its own users by plain LSP; here it is asked by nobody else.
    else if (run.followed && question.steps === 0) {
      const chosen = await vscode.window.showInformationMessage(question.text, ...question.choices);
      if (run.question === question) await this.answers(run).find(({ label }) => label === chosen)?.act();
    }
  }

  private async words(run: Run, question: Question): Promise<void> {
    const text = await vscode.window.showInputBox({ title: "Assist asks", prompt: question.text, ignoreFocusOut: true });
    if (text !== undefined && text.trim() !== "") await this.send("assist.answer", { runId: run.id, text: text.trim() });
  }

  private async show(run: Run, question: Question): Promise<void> {
    this.shown.set(run.id, question);
    const uri = vscode.Uri.from({ scheme: SCHEME, path: "/Assist asks.md", query: run.id });
    this.changed.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true, preview: true });
  }

  /** An answered question's detail is of no more use. */
  private async hide(run: Run): Promise<void> {
    this.plans.hide(run);
    if (!this.shown.delete(run.id)) return;
    const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
    const ours = tabs.filter(({ input }) => input instanceof vscode.TabInputText && input.uri.scheme === SCHEME && input.uri.query === run.id);
    if (ours.length > 0) await vscode.window.tabGroups.close(ours, true);
  }
}
