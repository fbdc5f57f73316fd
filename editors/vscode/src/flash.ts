/** Shows for a moment which lines an edit of Assist's just changed. */

import * as vscode from "vscode";
import type { Middleware } from "vscode-languageclient/node";

const SHOWN_MS = 1800;

type HandleApplyEdit = NonNullable<NonNullable<Middleware["workspace"]>["handleApplyEdit"]>;

export class Flash implements vscode.Disposable {
  private readonly style = vscode.window.createTextEditorDecorationType({
    isWholeLine: true,
    backgroundColor: new vscode.ThemeColor("diffEditor.insertedLineBackground"),
    overviewRulerColor: new vscode.ThemeColor("editorOverviewRuler.addedForeground"),
    overviewRulerLane: vscode.OverviewRulerLane.Full,
  });
  private fading: NodeJS.Timeout | undefined;
  private readonly undoing = vscode.workspace.onDidChangeTextDocument(({ reason }) => {
    if (reason !== undefined) this.fade();
  });

  /** Lets the edit happen and notes what it changed. */
  readonly handle: HandleApplyEdit = async (params, next) => {
    const touched = new Map<string, vscode.Range[]>();
    const listening = vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      if (contentChanges.length > 0) touched.set(document.uri.toString(), after(contentChanges));
    });
    try {
      return await next(params, new vscode.CancellationTokenSource().token);
    } finally {
      listening.dispose();
      this.show(touched);
    }
  };

  dispose(): void {
    clearTimeout(this.fading);
    this.undoing.dispose();
    this.style.dispose();
  }

  private fade(): void {
    clearTimeout(this.fading);
    for (const editor of vscode.window.visibleTextEditors) editor.setDecorations(this.style, []);
  }

  private show(touched: Map<string, vscode.Range[]>): void {
    let shown = false;
    for (const editor of vscode.window.visibleTextEditors) {
      const ranges = touched.get(editor.document.uri.toString());
      if (ranges === undefined) continue;
      editor.setDecorations(this.style, ranges);
      shown = true;
    }
    if (!shown) return;
    clearTimeout(this.fading);
    this.fading = setTimeout(() => this.fade(), SHOWN_MS);
  }
}

/** Where the changed text is after the changes, which name ranges of the text before them. Whole lines, none twice. */
function after(changes: readonly vscode.TextDocumentContentChangeEvent[]): vscode.Range[] {
  const spans: { first: number; last: number }[] = [];
  let moved = 0;
  for (const { range, text } of [...changes].sort((a, b) => a.rangeOffset - b.rangeOffset)) {
    const added = text.split(/\r\n|\r|\n/).length - 1;
    const begun = range.start.line + moved;
    // Text that begins with a line break says nothing new on the line it is added to, and one that ends with it nothing on its last.
    const first = begun + (added > 0 && /^\r?\n/.test(text) ? 1 : 0);
    const last = Math.max(first, begun + added - (/\n$/.test(text) ? 1 : 0));
    const before = spans.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else spans.push({ first, last });
    moved += added - (range.end.line - range.start.line);
  }
  return spans.map(({ first, last }) => new vscode.Range(first, 0, last, 0));
}
