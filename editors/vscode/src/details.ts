/** What a question is about. The question comes as a short message; its detail, such as a diff, is shown beside the code. */

import * as vscode from "vscode";
import { text } from "./protocol";
import type { Runs } from "./runs";

const SCHEME = "assist-detail";

export class Details implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private readonly details = new Map<string, string>();
  private readonly changed = new vscode.EventEmitter<vscode.Uri>();
  readonly onDidChange = this.changed.event;
  private readonly subscriptions: vscode.Disposable[];

  constructor(runs: Runs) {
    this.subscriptions = [
      this.changed,
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      runs.onDidChange(({ run, event }) => {
        if (event?.type === "approval_requested") {
          const detail = text(event.data.detail);
          if (detail !== undefined) void this.show(run.id, detail);
        } else if (event !== undefined && run.standing !== "asking") void this.hide(run.id);
      }),
    ];
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.details.get(uri.query) ?? "";
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private async show(run: string, detail: string): Promise<void> {
    this.details.set(run, detail);
    const diff = /^(---|diff --git|@@) /m.test(detail);
    const uri = address(run, diff ? "Proposed change.diff" : "Question.md");
    this.changed.fire(uri);
    const document = await vscode.workspace.openTextDocument(uri);
    await vscode.window.showTextDocument(document, { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true, preview: true });
  }

  /** An answered question's detail is of no more use. */
  private async hide(run: string): Promise<void> {
    if (!this.details.delete(run)) return;
    const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
    const ours = tabs.filter(({ input }) => input instanceof vscode.TabInputText && input.uri.scheme === SCHEME && input.uri.query === run);
    if (ours.length > 0) await vscode.window.tabGroups.close(ours, true);
  }
}

function address(run: string, name: string): vscode.Uri {
  return vscode.Uri.from({ scheme: SCHEME, path: `/${name}`, query: run });
}
