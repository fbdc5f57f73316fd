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
    const before = new Map<string, Set<string>>();
    for (const { document } of vscode.window.visibleTextEditors) before.set(document.uri.toString(), new Set(lines(document)));
    const touched = new Map<string, vscode.Range[]>();
    const listening = vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      const known = before.get(document.uri.toString());
      if (contentChanges.length > 0 && known !== undefined) touched.set(document.uri.toString(), fresh(document, contentChanges, known));
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

  private fade(): void {
    clearTimeout(this.fading);
    for (const editor of vscode.window.visibleTextEditors) editor.setDecorations(this.style, []);
  }
}

function lines(document: vscode.TextDocument): string[] {
  return document.getText().split(/\r\n|\r|\n/);
}

/**
 * The lines that the changes touched and that say something the document did not hold before. VS Code splits an edit into the smallest
 * changes it finds, which often begin or end in a line that stayed as it was.
 */
function fresh(document: vscode.TextDocument, changes: readonly vscode.TextDocumentContentChangeEvent[], known: Set<string>): vscode.Range[] {
  const touched = new Set<number>();
  let moved = 0;
  for (const { range, text } of [...changes].sort((a, b) => a.rangeOffset - b.rangeOffset)) {
    const first = range.start.line + moved;
    const added = text.split(/\r\n|\r|\n/).length - 1;
    for (let line = first; line <= first + added; line += 1) touched.add(line);
    moved += added - (range.end.line - range.start.line);
  }
  const now = lines(document);
  return [...touched].filter((line) => now[line]?.trim() && !known.has(now[line])).map((line) => new vscode.Range(line, 0, line, 0));
}
